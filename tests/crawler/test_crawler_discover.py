"""From a page's bytes to the addresses on it: what is taken, what is left, in which order."""

from __future__ import annotations

import pytest
from discovered import PAGE, SCOPE, links, named, only
from hypothesis import given
from hypothesis import strategies as st

from checker.visits import FoundLink
from crawler.addresses import host_of, join, name_and_port
from crawler.discover import find_links, headers_say_nofollow
from crawler.discover.links import FoundAs, ends_like_picture
from crawler.settings import CrawlSettings


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


def test_the_first_base_counts() -> None:
    html = '<base target="x"><base href="/pictures/"><base href="/no/"><img src="a.jpg">'
    assert only(links(html)).url == "https://a.example/pictures/a.jpg"


@pytest.mark.parametrize("base", ["http://[", "data:,x", "/" + "a" * 5_000])
def test_a_base_that_is_none_does_not_count(base: str) -> None:
    assert only(links(f'<base href="{base}"><img src="a.jpg">')).url == "https://a.example/dir/a.jpg"


@pytest.mark.parametrize(
    "html",
    [
        "<!-- <img src=a.jpg> -->",
        "<template><img src=a.jpg></template>",
        "<script>'<img src=a.jpg>'</script>",
        '<a href="javascript:alert(1)">x</a><a href="mailto:a@b.example">y</a><a>z</a>',
        '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw="><img src="blob:https://a.example/1"><img src="">',
        f'<img src="/{"a" * 3000}.jpg">',
        '<video><source src="a.mp4" srcset="a.jpg"></video>',
        '<link rel="canonical" href="a.jpg"><link rel="stylesheet" href="a.css">',
        '<link rel="preload" as="font" href="a.jpg">',
        '<input type="text" src="a.jpg"><object data="a.pdf"></object><embed src="a.swf">',
        '<meta property="og:title" content="a.jpg"><meta name="description" content="b.jpg">',
    ],
)
def test_what_is_no_address_of_a_picture_or_page_is_left_out(html: str) -> None:
    assert links(html) == []


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        ('<meta charset="windows-1252"><img src="a.jpg" alt="caf\xe9 \x80">'.encode("latin-1"), ""),
        ('<meta charset="iso-8859-1"><img src="a.jpg" alt="caf\xe9 \x80">'.encode("latin-1"), ""),  # Encoding 4.2
        ('<img src="a.jpg" alt="café €">'.encode(), "utf-8"),
        ('<img src="a.jpg" alt="café €">'.encode(), "no-such-charset"),
        ('<meta charset="utf-16"><img src="a.jpg" alt="café €">'.encode(), ""),  # HTML 13.2.3.2
        ('<img src="a.jpg" alt="café €">'.encode("utf-16"), ""),  # by its byte order mark
        ('<img src="a.jpg" alt="café €">'.encode("utf-8-sig"), "windows-1252"),  # which counts before the header
    ],
)
def test_captions_are_read_in_the_charset_of_the_page(body: bytes, charset: str) -> None:
    assert only(links(body, charset=charset)).caption == "café €"


@pytest.mark.parametrize("charset", ["undefined", "idna", "unicode_escape", "punycode", "utf-7", "a\0b", "x" * 5000])
def test_an_encoding_that_is_none_of_the_web_counts_as_not_named(charset: str) -> None:
    assert links('<img src="a.jpg" alt="caf\\u00e9 é">'.encode(), charset=charset)[0].caption == "caf\\u00e9 é"


def test_a_page_gives_a_bounded_number_of_links() -> None:
    assert len(links("".join(f"<a href={n}>" for n in range(7_000)))) == 6_000


def test_an_address_found_twice_keeps_its_best_place_and_its_first_caption() -> None:
    found = links(
        '<link rel="icon" href="a.jpg"><img src="b.jpg" title="Title"><img src="a.jpg" alt="First">'
        '<img src="a.jpg" alt="Second"><div style="background:url(b.jpg)">'
    )
    assert found == [
        FoundLink("https://a.example/dir/a.jpg", "image", "img src", "First"),
        FoundLink("https://a.example/dir/b.jpg", "image", "img src", "Title"),
    ]


def test_secret_parts_of_an_address_are_left_for_the_crawl_to_keep_apart() -> None:
    assert only(links('<img src="https://me:pw@c.example/a.jpg?sig=1#x">')).url == "https://c.example/a.jpg?sig=1"


# --- nofollow: Google Search Central, robots meta tag ------------------------------------------------------------


@pytest.mark.parametrize(
    "meta",
    [
        '<meta name="robots" content="nofollow">',
        '<META NAME="Robots" CONTENT="noarchive, NOFOLLOW">',
        '<meta name="robots" content="none">',
        '<meta name="HaveIBeenScrapedBot" content="nofollow">',
        '<meta name="robots" content="index nofollow">',  # tolerant where it refuses
        '<meta name="robots" content="index,follow"><body><p><meta name="robots" content="nofollow">',
    ],
)
def test_links_of_a_page_that_says_nofollow_are_left_and_its_pictures_taken(meta: str) -> None:
    html = f'{meta}<a href="/other">x</a><a href="big.jpg">y</a><iframe src="/f"></iframe><img src="a.jpg">'
    assert named(links(html)) == [("a.jpg", "img src")]


@pytest.mark.parametrize(
    "meta", ['<meta name="otherbot" content="nofollow">', '<meta name="robots" content="noindex">']
)
def test_what_is_said_to_others_or_of_something_else_is_no_nofollow(meta: str) -> None:
    assert named(links(f'{meta}<a href="/other">x</a>')) == [("other", "a href")]


def test_a_header_that_says_nofollow_counts_like_the_tag() -> None:
    assert named(links('<a href="/other">x</a><img src="a.jpg">', follow=False)) == [("a.jpg", "img src")]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["nofollow"], True),
        (["noindex", "index, NONE"], True),
        (["googlebot: noindex", "haveibeenscrapedbot: nofollow"], True),
        (["unavailable_after: Friday, 25-Jun-10 15:00:00 GMT, nofollow"], True),
        (["*: noindex nofollow"], True),
        (["googlebot: noindex, nofollow"], False),
        (["max-snippet: none", "noindex, follow"], False),
        ([], False),
    ],
)
def test_the_header_is_read_line_by_line(lines: list[str], said: bool) -> None:
    assert headers_say_nofollow([("Content-Type", "nofollow"), *(("x-robots-tag", line) for line in lines)]) is said


def test_a_link_may_say_nofollow_alone() -> None:
    html = '<a href="/1" rel="ugc NoFollow">x</a><a href="a.jpg" rel="nofollow">y</a><a href="/2" rel="me">z</a>'
    assert named(links(html)) == [("2", "a href")]


# --- pictures by their path ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "href", ["a.jpg", "/x/A.JPEG?w=2#t", "b.webp?u=/c", "a.b.png", "%E2%9C%93.gif", "a.svg", "x.AVIF"]
)
def test_an_address_that_ends_like_a_picture_is_one(href: str) -> None:
    assert ends_like_picture(href)


@pytest.mark.parametrize(
    "href",
    [
        "", "/", "/jpg", "/a.jpg/", "/show?file=a.jpg", "/a.html#b.jpg", "/wiki/File:Cat.jpg", "/Datei:Katze.png?x",
        '<img src="/x/a.jpg', '{"src":"a.jpg', "/a.jpgx", "." + "a" * 20_000 + ".jpg",
    ],
)  # fmt: skip
def test_another_address_is_none(href: str) -> None:
    assert not ends_like_picture(href)


@given(st.binary(max_size=200))
def test_any_bytes_are_survived(body: bytes) -> None:
    for link in links(b"<img src='" + body + b"'><base href=" + body):
        assert link.url.startswith(("http://", "https://"))
        assert len(link.url) <= 2_048
        assert link.found_as in set(FoundAs)


@given(st.text(alphabet="<>/='\"abimgsrcstylehf- :()", max_size=200))
def test_any_markup_is_survived(html: str) -> None:
    find_links(html.encode(), page_url=PAGE, charset="utf-8", scope=SCOPE, settings=CrawlSettings())


def test_user_names_and_fragments_are_cut_and_escapes_kept() -> None:
    assert join("https://me:secret@A.example:443/x%2Fy?u=a%2Fb#top", "") == "https://a.example/x%2Fy?u=a%2Fb"
    assert join("../a b.jpg", "http://a.example/x/y/") == "http://a.example/x/a%20b.jpg"
    assert join("http://[::1", "http://a.example/") is None


def test_a_host_is_scheme_name_and_port() -> None:
    assert host_of("https://a.example/x") == "https://a.example"
    assert host_of("http://g.localhost:8001/x") == "http://g.localhost:8001"
    assert name_and_port("https://a.example/x") == ("a.example", 443)
    assert name_and_port("http://g.localhost:8001/x") == ("g.localhost", 8001)
