"""srcset, HTML Standard 4.8.4.3.10. The first group are the examples and notes of the standard itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.srcset import parse_srcset


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mobile.jpeg 720w, tablet.jpeg 1280w, desktop.jpeg 1.0x", ("mobile.jpeg", "tablet.jpeg", "desktop.jpeg")),
        ("/uploads/100-marie-lloyd.jpg 1x, /uploads/200.jpg 2x", ("/uploads/100-marie-lloyd.jpg", "/uploads/200.jpg")),
        ("a.jpg", ("a.jpg",)),
        ("a.jpg, b.jpg", ("a.jpg", "b.jpg")),
        ("  a.jpg\t2x\n,\r\n b.jpg  3x ,", ("a.jpg", "b.jpg")),
        ("data:,a ( , data:b 1x, ), data:c", ("data:c",)),  # the comma is inside of brackets
        ("a,b.jpg 1x", ("a,b.jpg",)),  # a comma inside an address belongs to it
        ("a.jpg,, b.jpg", ("a.jpg", "b.jpg")),  # commas at its end do not
        (",,, a.jpg", ("a.jpg",)),
    ],
)  # fmt: skip
def test_candidates_are_split_as_the_standard_says(text: str, expected: tuple[str, ...]) -> None:
    assert parse_srcset(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a.jpg 1x 2x", "a.jpg 100w 1x", "a.jpg -1x", "a.jpg 0w", "a.jpg 1.5w", "a.jpg 100h", "a.jpg blue",
        "a.jpg +1x", "a.jpg 1w 2w",
    ],
)  # fmt: skip
def test_a_candidate_with_descriptors_that_are_an_error_is_dropped(text: str) -> None:
    assert parse_srcset(text + ", good.jpg 2x") == ("good.jpg",)


@pytest.mark.parametrize("text", ["a.jpg 100w 200h", "a.jpg 200h 100w", "a.jpg .5x", "a.jpg 1e3x", "a.jpg 0x"])
def test_a_candidate_with_valid_descriptors_is_kept(text: str) -> None:
    assert parse_srcset(text) == ("a.jpg",)


@pytest.mark.parametrize("text", ["", " ", ",", ", ,\n"])
def test_nothing_gives_nothing(text: str) -> None:
    assert parse_srcset(text) == ()


@given(st.text(alphabet="ab.,() \t\n019xwh+-eé", max_size=60))
def test_whatever_is_written_there_gives_addresses_without_blanks(text: str) -> None:
    for url in parse_srcset(text):
        assert url
        assert not set(url) & set("\t\n\f\r ")
        assert url in text


@given(st.lists(st.from_regex(r"[a-z/][a-z0-9/._-]{0,10}[a-z]", fullmatch=True), min_size=1, max_size=10, unique=True))
def test_what_was_joined_comes_apart_again(urls: list[str]) -> None:
    assert parse_srcset(", ".join(f"{url} {n + 1}x" for n, url in enumerate(urls))) == tuple(urls)
