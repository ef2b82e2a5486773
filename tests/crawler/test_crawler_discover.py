"""From a page's bytes to the addresses on it, and what becomes of an address before it is stored."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.model import FoundLink
from crawler.addresses import clean, host_of, join, name_and_port
from crawler.discover import Scope, find_links
from crawler.settings import CrawlSettings

SCOPE = Scope(frozenset({"https://a.example"}))


def links(html: str | bytes, *, page_url: str = "https://a.example/dir/page", charset: str = "") -> list[FoundLink]:
    body = html.encode() if isinstance(html, str) else html
    return find_links(body, page_url=page_url, charset=charset, scope=SCOPE, settings=CrawlSettings())


def test_pictures_are_found_wherever_they_lie_and_pages_within_the_scope() -> None:
    found = links(
        '<a href="/other">x</a><a href="https://b.example/">y</a><a href="http://a.example/">z</a>'
        '<img src="cat.jpg" alt=" A  cat "><img src="//cdn.example/dog.png">'
    )
    assert found == [
        FoundLink("https://a.example/other", "page", "a href"),
        FoundLink("https://a.example/dir/cat.jpg", "image", "img src", "A cat"),
        FoundLink("https://cdn.example/dog.png", "image", "img src"),
    ]


def test_srcset_and_picture_sources_are_found_with_the_caption_of_their_image() -> None:
    found = links(
        '<picture><source srcset="big.webp 2x, small.webp"><img src="a.jpg" srcset="a.jpg, b.jpg 2x" alt="Sea">'
        "</picture>"
    )
    assert [(f.url.rpartition("/")[2], f.found_as, f.caption) for f in found] == [
        ("big.webp", "source srcset", "Sea"),
        ("small.webp", "source srcset", "Sea"),
        ("a.jpg", "img src", "Sea"),
        ("b.jpg", "img srcset", "Sea"),
    ]


def test_the_first_base_counts() -> None:
    html = '<base target="x"><base href="/pictures/"><base href="/no/"><img src="a.jpg">'
    assert [link.url for link in links(html)] == ["https://a.example/pictures/a.jpg"]


@pytest.mark.parametrize(
    "html",
    [
        "<!-- <img src=a.jpg> -->",
        "<template><img src=a.jpg></template>",
        "<script>'<img src=a.jpg>'</script>",
        '<a href="javascript:alert(1)">x</a><a href="mailto:a@b.example">y</a><a>z</a>',
        '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw="><img src="">',
        f'<img src="/{"a" * 3000}.jpg">',
    ],
)
def test_what_is_no_address_of_a_picture_or_page_is_left_out(html: str) -> None:
    assert links(html) == []


def test_captions_are_read_in_the_charset_of_the_page() -> None:
    html = '<meta charset="windows-1252"><img src="a.jpg" alt="caf\xe9">'.encode("windows-1252")
    assert links(html)[0].caption == "café"
    assert links('<img src="a.jpg" alt="café">'.encode(), charset="utf-8")[0].caption == "café"
    assert links('<img src="a.jpg" alt="café">'.encode(), charset="no-such-charset")[0].caption == "café"


def test_a_page_gives_a_bounded_number_of_links() -> None:
    assert len(links("".join(f"<a href={n}>" for n in range(7_000)))) == 6_000


@pytest.mark.parametrize("charset", ["undefined", "idna", "unicode_escape", "punycode", "utf-7", "a\0b", "x" * 5000])
def test_an_encoding_that_is_none_of_the_web_counts_as_not_named(charset: str) -> None:
    assert links('<img src="a.jpg" alt="caf\\u00e9 é">'.encode(), charset=charset)[0].caption == "caf\\u00e9 é"


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 500_000 + '<img src="deep.jpg">',
        "<picture>" + "<source srcset=a>" * 30_000 + "</picture>",
        f'<img srcset="a {"b " * 200_000}">',
        "<picture><source srcset=a>" * 10_000,
    ],
    ids=["nested", "sources", "descriptors", "pictures"],
)
def test_no_page_keeps_the_parser_busy(html: str) -> None:
    begin_s = time.process_time()
    links(html)
    assert time.process_time() - begin_s < 8  # minutes without the limits, about 1.5 s with them


@given(st.binary(max_size=200))
def test_any_bytes_are_survived(body: bytes) -> None:
    for link in links(b"<img src='" + body + b"'><base href=" + body):
        assert link.url.startswith(("http://", "https://"))


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        ("https://i.example/a.jpg?token=abc", "https://i.example/a.jpg"),
        ("https://i.example/a.jpg?w=200&sig=x&h=1", "https://i.example/a.jpg?w=200&h=1"),
        ("https://i.example/a.jpg?X-Amz-Signature=1&X-Amz-Date=2&v=3", "https://i.example/a.jpg?v=3"),
        ("https://i.example/a.jpg?X-Goog-Credential=1&Policy=p&Key-Pair-Id=k&Signature=s", "https://i.example/a.jpg"),
        ("https://i.example/a.jpg?%74oken=abc", "https://i.example/a.jpg"),
        ("https://i.example/a.jpg?u=%2Fx&design=1", "https://i.example/a.jpg?u=%2Fx&design=1"),
        ("https://i.example/a.jpg?", "https://i.example/a.jpg?"),
    ],
)
def test_an_address_is_stored_without_what_signs_it(url: str, stored: str) -> None:
    assert clean(url) == stored


def test_user_names_and_fragments_are_cut_and_escapes_kept() -> None:
    assert join("https://me:secret@A.example:443/x%2Fy?u=a%2Fb#top", "") == "https://a.example/x%2Fy?u=a%2Fb"
    assert join("../a b.jpg", "http://a.example/x/y/") == "http://a.example/x/a%20b.jpg"
    assert join("http://[::1", "http://a.example/") is None


def test_a_host_is_scheme_name_and_port() -> None:
    assert host_of("https://a.example/x") == "https://a.example"
    assert host_of("http://g.localhost:8001/x") == "http://g.localhost:8001"
    assert name_and_port("https://a.example/x") == ("a.example", 443)
    assert name_and_port("http://g.localhost:8001/x") == ("g.localhost", 8001)
