"""Addresses of opt-outs: one spelling each, and what they cover."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import checker.addresses
from checker.addresses import address_of, covering_addresses, covers, is_address, parse_address
from checker.errors import InputError


# RFC 6265 5.1.4, path-match: the cases of its three bullets, and what each of them leaves out.
@pytest.mark.parametrize(
    ("address", "url", "expected"),
    [
        ("example.org/a", "https://example.org/a", True),
        ("example.org/a", "https://example.org/a/", True),
        ("example.org/a", "https://example.org/a/b.jpg", True),
        ("example.org/a", "https://example.org/a?x", True),
        ("example.org/a", "https://example.org/a#x", True),
        ("example.org/a", "https://example.org/ab", False),
        ("example.org/a", "https://example.org/A", False),
        ("example.org/a", "https://example.org/", False),
        ("example.org/a/", "https://example.org/a/b.jpg", True),
        ("example.org/a/", "https://example.org/a", False),
        ("example.org/", "https://example.org", True),
        ("example.org/", "https://example.org/a/b/c.jpg?x=1", True),
    ],
)
def test_a_path_is_a_prefix_by_whole_segments(address: str, url: str, expected: bool) -> None:
    assert covers(address, url) is expected


@pytest.mark.parametrize(
    ("address", "url", "expected"),
    [
        ("example.org/", "http://example.org/a.jpg", True),
        ("example.org/", "HTTPS://EXAMPLE.ORG/a.jpg", True),
        ("example.org/", "https://example.org./a.jpg", True),
        ("example.org/", "https://www.example.org/a.jpg", False),
        ("example.org/", "https://example.org.evil.example/a.jpg", False),
        ("example.org/", "https://notexample.org/a.jpg", False),
        ("example.org/", "https://evil.example/?example.org/", False),
        ("example.org/", "https://example.org@evil.example/", False),
        ("example.org/", "https://evil.example@example.org/a.jpg", True),
        ("example.org/", "https://example.org:80/a.jpg", True),
        ("example.org/", "http://example.org:443/a.jpg", True),
        ("example.org/", "https://example.org:8443/a.jpg", False),
        ("example.org:8443/", "https://example.org:8443/a.jpg", True),
        ("example.org:8443/", "https://example.org/a.jpg", False),
        ("[2001:db8::1]/", "http://[2001:db8:0::1]:80/a.jpg", True),
        ("192.0.2.1/", "http://0xc0.0.2.1/a.jpg", True),
        ("example.org/", "ftp://example.org/a.jpg", False),
        ("example.org/", "example.org/a.jpg", False),
        ("example.org/", "", False),
        ("example.org/", "https://example.org:99999/", False),
        ("example.org/", "https://example.org/\ud800", False),
    ],
)
def test_host_and_port_are_exact_and_the_scheme_is_either(address: str, url: str, expected: bool) -> None:
    assert covers(address, url) is expected


# RFC 3986 6.2.2 and the WHATWG URL standard's path parser: spellings of one path that servers do not tell apart.
@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/photos/me.jpg",
        "https://example.org/%70hotos/me.jpg",
        "https://example.org/photos%2Fx/../photos/me.jpg",
        "https://example.org/x/%2E%2e/photos/me.jpg",
        "https://example.org\\photos\\me.jpg",
        "  https://example.org/pho\ntos/me.jpg\t",
    ],
)
def test_a_no_holds_however_the_url_is_spelled(url: str) -> None:
    assert covers("example.org/photos/", url)


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("example.org", "example.org/"),
        ("https://Example.org/photos/", "example.org/photos/"),
        ("http://example.org:80/photos", "example.org/photos"),
        ("localhost:8000/a", "localhost:8000/a"),
        ("bücher.example/fotos für alle/", "xn--bcher-kva.example/fotos%20f%C3%BCr%20alle/"),
        ("example.org/~me/%7e/%c3%a9%2f", "example.org/~me/~/%C3%A9%2F"),
        ("example.org/a/../b", "example.org/b"),
        ("example.org/100%/^[|]", "example.org/100%25/%5E%5B%7C%5D"),
        ("[2001:DB8::1]:8080", "[2001:db8::1]:8080/"),
    ],
)
def test_addresses_are_read_as_people_type_them(typed: str, address: str) -> None:
    assert parse_address(typed) == address


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", "no address of a host"),
        ("https://", "no address of a host"),
        ("ftp://example.org/", "no address of a host"),
        ("exa mple.org", "no address of a host"),
        ("https://me:pw@example.org/", "user name"),
        ("example.org/a?x=1", "query"),
        ("example.org/#top", "fragment"),
        ("*.example.org", r"\*"),
        ("example.org/*", r"\*"),
        ("a$b.example", "cannot be written plainly"),
        ("a..example", "cannot be written plainly"),
        ("example.org/" + "a" * 1_000, "1000 characters"),
    ],
)
def test_what_is_more_or_less_than_an_address_is_refused_with_the_reason(typed: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        parse_address(typed)


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/", "example.org", "Example.org/", "example.org./", "example.org:80/", "example.org:443/",
        "example.org:08443/", "example.org/%7e", "example.org/%c3", "example.org/a?x", "example.org/a#x",
        "me@example.org/", "example.org/a/../b", " example.org/", "example.org/\n", "example.org\\a",
        "b\u00fc.example/", "*.example.org/", "/", "", "example.org:0/", "example.org/^", "example.org/.",
        "example.org/a/..", "[::1/", "example.org:/", "example.org/%", "example.org/%4", "a..example/", ".example/",
        "example.org/*",
    ],
)  # fmt: skip
def test_another_spelling_is_no_address(text: str) -> None:
    assert not is_address(text)


def test_the_doctests_hold() -> None:
    assert doctest.testmod(checker.addresses).failed == 0


urls = st.builds(
    "{}://{}{}/{}".format,
    st.sampled_from(["http", "https"]),
    st.sampled_from(["example.org", "a.example.", "[::1]", "127.1", "EXAMPLE.org"]),
    st.sampled_from(["", ":80", ":443", ":8443"]),
    st.text(alphabet="ab/.%2eE7~?#;\\ é*^|[", max_size=40),
)


@given(urls | st.text())
@example("https://example.org//")
@example("https://example.org/" + "/" * 3_000)
def test_what_covers_a_url_is_what_covering_addresses_lists(url: str) -> None:
    there, listed = address_of(url), covering_addresses(url)
    assert bool(there) == bool(listed)
    assert all(covers(address, url) for address in listed)
    assert list(listed) == sorted(set(listed), key=len)
    if there:
        # Every cut of the address that the plain rule accepts is in the list, and no other.
        cuts = (there[:end] for end in range(there.index("/") + 1, min(len(there), 1_000) + 1))
        assert set(listed) == {cut for cut in cuts if covers(cut, url)}


@given(urls)
def test_an_address_is_a_fixed_point(url: str) -> None:
    there = address_of(url)
    if there is not None:
        assert address_of(f"https://{there}") == address_of(f"http://{there}") == there
        assert all(is_address(address) for address in covering_addresses(url) if "*" not in address)


@given(st.from_regex(r"[a-z0-9.:\[\]_-]{1,12}/[a-z%2E.~^*/]{0,12}", fullmatch=True))
def test_what_is_of_the_form_of_an_address_is_one_that_a_url_can_have_or_covers_nothing(text: str) -> None:
    there = address_of(f"https://{text}")
    if is_address(text):
        assert there is None or there == text or covers(text, f"https://{text}") is False
    if there == text and "*" not in text and ".." not in text:
        assert is_address(text)


@given(st.text())
def test_whatever_is_typed_is_an_address_or_an_input_error(text: str) -> None:
    try:
        address = parse_address(text)
    except InputError:
        return
    assert is_address(address)
    assert parse_address(address) == address
