"""srcset, HTML Standard 4.8.4.3.10. Expected values are the standard's own examples and those of its test suite
(web-platform-tests, html/semantics/embedded-content/the-img-element/srcset/parse-a-srcset-attribute.html)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.discover.srcset import parse_srcset


def urls(text: str) -> tuple[str, ...]:
    return tuple(one.url for one in parse_srcset(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mobile.jpeg 720w, tablet.jpeg 1280w, desktop.jpeg 1.0x", ("mobile.jpeg", "tablet.jpeg", "desktop.jpeg")),
        ("/uploads/100-marie-lloyd.jpg 1x, /uploads/200.jpg 2x", ("/uploads/100-marie-lloyd.jpg", "/uploads/200.jpg")),
        ("a.jpg", ("a.jpg",)),
        ("a.jpg, b.jpg", ("a.jpg", "b.jpg")),
        ("  a.jpg\t2x\n,\r\n b.jpg  3x ,", ("a.jpg", "b.jpg")),
        ("a,b.jpg 1x", ("a,b.jpg",)),  # a comma inside an address belongs to it
        ("a.jpg,, b.jpg", ("a.jpg", "b.jpg")),  # commas at its end do not
        (",,, a.jpg", ("a.jpg",)),
        ("data:,a\u00a0", ("data:,a\u00a0",)),  # no blank of HTML
    ],
)  # fmt: skip
def test_candidates_are_split_as_the_standard_says(text: str, expected: tuple[str, ...]) -> None:
    assert urls(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a 1x 1x ( , data:,b 1x, ), c", ("c",)),  # the commas are inside of brackets
        ("a 1x 1x ((( , b 1x, ), c", ("c",)),  # which are not counted
        ("a 1x 1x [ , b 1x, ], c", ("b", "]", "c")),
        ('a 1x 1x " , b 1x, ", c', ("b", '"', "c")),
        ("a 1x 1x (, b", ()),
        ("a, b (", ("a", "b")),
        ("a, b (x", ("a", "b")),
        ("a 1x 1x /*, b, c */", ("b", "c")),
    ],
)
def test_brackets_hold_descriptors_together(text: str, expected: tuple[str, ...]) -> None:
    assert urls(text) == expected


@pytest.mark.parametrize(
    "descriptors",
    [
        "1w 1w", "1w 1x", "1x 1w", "1h 1h", "1h 1x", "1h 1w 1x", "1x 1w 1h", "1h", "1h foo", "foo 1h", "0w", "1x -0x",
        "1x 1.5e1x", "1x 1.0x", "1w 0h", "100h", "1x 2x",
    ],
)  # fmt: skip
def test_a_candidate_with_descriptors_that_are_an_error_is_dropped(descriptors: str) -> None:
    assert urls(f"a.jpg {descriptors}, good.jpg 2x") == ("good.jpg",)


@pytest.mark.parametrize(
    "descriptors",
    [
        "1w 1h", "1h 1w", ".5x", "1e3x", "0x", "-0x", "1e0x", "1E0x", "1e-1x", "1.5e1x", "1.0x",
        # Unknown words are ignored.
        "foo", "foo foo", "foo 1x", "foo 1x foo", "foo 1w foo", "-1w", "1w -1w", "1.0w", "1w 1.0w", "1e0w", "1www",
        "+1w", "1W", "1w 1W", "Infinityw", "1w NaNw", "-1x", "1x -1x", "1x 1e1.5x", "1x +1x", "1x 1X", "1x Infinityx",
        "1x 1\x01x", "1w 1h -1h", "1w 1h 1.0h", "1w 1h 1hhh", "1w 1h +1h", "1w 1h 1H", "blue",
    ],
)  # fmt: skip
def test_a_candidate_with_valid_or_unknown_descriptors_is_kept(descriptors: str) -> None:
    assert urls(f"a.jpg {descriptors}") == ("a.jpg",)


@pytest.mark.parametrize("text", ["", " ", ",", ", ,\n"])
def test_nothing_gives_nothing(text: str) -> None:
    assert parse_srcset(text) == ()


def test_sizes_tell_which_candidate_is_the_largest() -> None:
    assert [one.size for one in parse_srcset("a 320w, b 1280w 720h, c 640w")] == [320, 1280, 640]
    assert [one.size for one in parse_srcset("a, b 1.5x, c blue")] == [1, 1.5, 1]


def test_a_srcset_gives_a_bounded_number_of_candidates() -> None:
    assert len(parse_srcset(", ".join(f"{n}.jpg {n + 1}w" for n in range(1_000)))) == 100
    assert urls(f"a.jpg {'1' * 1_000_000}x") == ("a.jpg",)


@given(st.text(alphabet="ab.,() \t\n019xwh+-eé", max_size=60))
def test_whatever_is_written_there_gives_addresses_without_blanks(text: str) -> None:
    for one in parse_srcset(text):
        assert one.url
        assert not set(one.url) & set("\t\n\f\r ")
        assert one.url in text
        assert one.size >= 0


@given(st.lists(st.from_regex(r"[a-z/][a-z0-9/._-]{0,10}[a-z]", fullmatch=True), min_size=1, max_size=10, unique=True))
def test_what_was_joined_comes_apart_again(parts: list[str]) -> None:
    assert urls(", ".join(f"{url} {n + 1}x" for n, url in enumerate(parts))) == tuple(parts)
