"""Addresses without end, told by their form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.traps import is_trap, pattern_of

HOST = "https://a.example"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("/a/b/a/b/a/b/", "a path that repeats itself"),
        ("/img/img/img/x.html", "a path that repeats itself"),
        ("/en/x/en/y/en/z", "a path that repeats itself"),
        ("/" + "/".join(f"p{n}" for n in range(21)), "a path with too many parts"),
        ("/" + "/".join("1" for _ in range(21)), "a path with too many parts"),
        ("/shop?" + "&".join(f"f{n}=1" for n in range(13)), "a query with too many parts"),
        ("/shop?" + "&".join("f[]=1" for _ in range(13)), "a query with too many parts"),
        ("/login?next=%2Flogin%3Fnext%3D%252Flogin%253Fnext%253D%25252F", "addresses inside each other"),
    ],
)
def test_an_address_that_repeats_itself_is_a_trap(url: str, reason: str) -> None:
    assert is_trap(HOST + url) == reason


@pytest.mark.parametrize(
    "url",
    [
        "", "/", "/photo/12345", "/2012/12/12/", "/system/000/000/000/photo.html", "/en/about/en/", "/a//b//c/",
        "/gallery?album=3&page=2&sort=date&size=large&lang=en", "/?q=a&q=b", "/caf%C3%A9/100%25",
        "/login?next=%2Fshop%3Fa%3D1%2526b", "/" + "/".join(f"p{n}" for n in range(20)),
        "/shop?" + "&".join(f"f{n}=1" for n in range(12)), "/x#/a/a/a/a",
    ],
)  # fmt: skip
def test_an_ordinary_address_is_none(url: str) -> None:
    assert is_trap(HOST + url) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/calendar/2031/05/", "/calendar/1999/12/"),
        ("/calendar/2031/may/", "/calendar/2031/December/"),
        ("/events?month=5&year=2031", "/events?year=1&month=12"),
        ("/photo/1", "/photo/123456"),
        ("/p/IMG_0001.html", "/p/IMG_9999.html"),
        ("/d/2031-05-06", "/d/2030-01-01"),
        ("/f/9f86d081884c7d65", "/f/0123456789abcdef0"),
        ("/u/123e4567-e89b-12d3-a456-426614174000", "/u/00000000-0000-4000-8000-0000000000ff"),
        ("/list?page=2#top", "/list?page=3"),
        ("/calendar?month=5", "/calendar?month=2031-05"),
        ("/calendar?month=may", "/calendar?month=June"),
        ("/search?q=a+b", "/search?q=c%20d"),
        ("/?at=2031-05-06T10:00", "/?at=1999-01-01T00:00"),
        ("/x?a=1&b=2", "/x?b=3;a=4"),
    ],
)
def test_pages_of_one_kind_have_one_form(one: str, other: str) -> None:
    assert pattern_of(HOST + one) == pattern_of(HOST + other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/photo/1", "/calendar/1"),
        ("/photo/1", "/photo/1/large"),
        ("/about", "/contact"),
        ("/x?page=1", "/x?month=1"),
        ("/x", "/x?page=1"),
        ("/index.php?view=photo&id=7", "/index.php?view=calendar&id=7"),
        ("/?page=about-us", "/?page=gallery"),
        ("/maybe", "/decided"),
        ("/facade", "/decade"),
    ],
)
def test_pages_of_two_kinds_have_two(one: str, other: str) -> None:
    assert pattern_of(HOST + one) != pattern_of(HOST + other)


def test_the_same_path_on_two_hosts_is_two_forms() -> None:
    assert pattern_of("https://a1.example/1") == "https://a1.example/#"
    assert pattern_of("https://a2.example/1") == "https://a2.example/#"


@given(st.text(alphabet="ab1/?&=;%25#-é:", max_size=80))
def test_any_text_has_a_form_of_bounded_length(text: str) -> None:
    form = pattern_of(HOST + "/" + text * 5)
    assert form.startswith(HOST)
    assert len(form) <= 200
    assert "#1" not in form
    is_trap(text)
    pattern_of(text)


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_numbers_make_no_difference(one: int, other: int) -> None:
    assert pattern_of(f"{HOST}/a/{one}?p={one}") == pattern_of(f"{HOST}/a/{other}?p={other}")
