"""Sitemaps, feeds, and which reader a document gets. Examples from sitemaps.org, Google's guides, the RSS Advisory
Board, Media RSS 1.5.1 and RFC 4287."""

from __future__ import annotations

import gzip
import re

import pytest
from discovered import PAGE, named, only, read
from hibs_command import CHECKOUT
from hypothesis import given
from hypothesis import strategies as st

from checker.visits import FoundLink
from crawler.discover import is_sitemap, may_hold_links
from crawler.discover.links import FoundAs
from crawler.discover.records import read_records

URLSET = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" '
    'xmlns:image="http://www.google.com/schemas/sitemap-image/1.1" '
    'xmlns:video="http://www.google.com/schemas/sitemap-video/1.1">'
)
SITEMAP = URLSET + (
    "<url><loc>https://a.example/sample1.html</loc><lastmod>2005-01-01</lastmod>"
    "<image:image><image:loc>https://a.example/image.jpg</image:loc></image:image>"
    "<image:image><image:loc> https://cdn.example/photo.jpg?a=1&amp;b=2 </image:loc><image:title>T</image:title>"
    "<image:caption>Dogs <![CDATA[& cats]]></image:caption></image:image></url>"
    "<url><loc>https://b.example/out</loc><image:image><image:loc>https://b.example/b.jpg</image:loc></image:image></url>"
    "<url><loc>/relative</loc><video:video><video:thumbnail_loc>https://a.example/t.jpg</video:thumbnail_loc>"
    "</video:video></url></urlset>"
)
IN_SITEMAP = [
    FoundLink("https://a.example/sample1.html", "page", "sitemap"),
    FoundLink("https://a.example/image.jpg", "image", "sitemap image", shown_on="https://a.example/sample1.html"),
    FoundLink(
        "https://cdn.example/photo.jpg?a=1&b=2",
        "image",
        "sitemap image",
        "Dogs & cats",
        shown_on="https://a.example/sample1.html",
    ),
    FoundLink("https://b.example/b.jpg", "image", "sitemap image", shown_on="https://b.example/out"),
    FoundLink("https://a.example/relative", "page", "sitemap"),
    FoundLink("https://a.example/t.jpg", "image", "sitemap image", priority=1, shown_on="https://a.example/relative"),
]

RSS = """<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/" xmlns:atom="http://www.w3.org/2005/Atom"
  xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd">
<channel><title>News</title><link>https://a.example/</link><atom:link rel="self" href="https://a.example/rss"/>
<image><url>logo.png</url><title>x</title><link>https://a.example/</link></image><itunes:image href="pod.jpg"/>
<item><title>Venice</title><link>/venice</link><atom:link rel="replies" href="/no"/>
  <enclosure url="boat.jpg" length="1" type="image/jpeg"/><enclosure url="talk.mp3" length="1" type="audio/mpeg"/>
  <media:group><media:content url="large.jpg" medium="image"/><media:content url="film.mp4" type="video/mp4"/>
  <media:thumbnail url="thumb.jpg"/></media:group><media:description>A boat</media:description>
  <content:encoded><![CDATA[<p><img src="inside.jpg" alt="In"> <a href="/x">more</a>]]></content:encoded></item>
<item><guid isPermaLink="false">tag:1</guid><description>&lt;img src="p.jpg"&gt;</description></item>
<item><guid>https://a.example/by-guid</guid></item></channel></rss>"""

ATOM = """<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://a.example/blog/">
<logo>logo.png</logo><icon>/favicon.ico</icon><link rel="self" href="feed"/>
<entry xml:base="2026/"><title>Robots</title><link rel="alternate" href="robots"/><link rel="edit" href="no"/>
<link rel="enclosure" type="image/png" href="enclosed.png"/><link rel="enclosure" href="file.zip"/>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p><img src="inside.jpg" alt="In"/></p></div></content>
</entry>
<entry><link href="two"/><summary type="html">&lt;img src="s.jpg"&gt;</summary></entry></feed>"""


def test_a_sitemap_names_pages_and_the_pictures_on_them() -> None:
    assert read(SITEMAP) == IN_SITEMAP


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (SITEMAP.encode(), "text/plain; charset=utf-8"),
        (SITEMAP.encode(), "text/html"),
        (gzip.compress(SITEMAP.encode()), "application/gzip"),
        (gzip.compress(SITEMAP.encode()[:300]) + gzip.compress(SITEMAP.encode()[300:]), "application/octet-stream"),
        (SITEMAP.encode("utf-16"), "application/xml"),
        (SITEMAP.encode("utf-8-sig"), "application/xml"),
        (b" \n<!-- made by x --><?xml-stylesheet href='s.xsl'?>" + SITEMAP.partition("\n")[2].encode(), ""),
        (SITEMAP.replace("<", "<s:").replace("<s:/", "</s:").replace("<s:?", "<?").replace("<s:!", "<!")
         .replace("<s:image:", "<image:").replace("</s:image:", "</image:").replace("<s:video:", "<video:")
         .replace("</s:video:", "</video:").replace("xmlns=", "xmlns:s=").encode(), "text/xml"),
        (SITEMAP.replace("http://www.sitemaps.org/schemas/sitemap/0.9", "https://www.google.com/schemas/sitemap/0.84")
         .replace("http://www.google", "https://www.google").encode(), "text/xml"),
    ],
    ids=["text", "html", "gzip", "two members", "utf-16", "bom", "prologue", "prefix", "old namespace"],
)  # fmt: skip
def test_a_sitemap_is_known_by_what_stands_in_it(body: bytes, content_type: str) -> None:
    assert read(body, content_type) == IN_SITEMAP
    assert is_sitemap(body, content_type)


def test_an_index_names_further_sitemaps_and_not_for_ever() -> None:
    index = (
        '<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><sitemap><loc>https://a.example/1.xml.gz</loc>'
        "</sitemap><sitemap><loc>https://b.example/2.xml</loc></sitemap><sitemap><loc>" + PAGE + "</loc></sitemap>"
        "</sitemapindex>"
    )
    assert named(read(index)) == [("1.xml.gz", "sitemap index"), ("page", "sitemap index")]
    assert len(read(index, indexes=1)) == 2
    assert read(index, indexes=2) == []


def test_an_rss_feed_names_its_entries_and_their_pictures() -> None:
    venice = "https://a.example/venice"
    assert read(RSS, "application/rss+xml") == [
        FoundLink("https://a.example/dir/logo.png", "image", "feed image", priority=1),
        FoundLink("https://a.example/dir/pod.jpg", "image", "feed image", priority=1),
        FoundLink(venice, "page", "feed link"),
        FoundLink("https://a.example/dir/boat.jpg", "image", "feed enclosure", "A boat", shown_on=venice),
        FoundLink("https://a.example/dir/large.jpg", "image", "feed media", "A boat", shown_on=venice),
        FoundLink("https://a.example/dir/thumb.jpg", "image", "feed media", "A boat", priority=1, shown_on=venice),
        FoundLink("https://a.example/inside.jpg", "image", "feed content", "In", shown_on=venice),
        FoundLink("https://a.example/dir/p.jpg", "image", "feed content"),
        FoundLink("https://a.example/by-guid", "page", "feed link"),
    ]


def test_an_atom_feed_names_its_entries_and_their_pictures_from_their_bases() -> None:
    robots, two = "https://a.example/blog/2026/robots", "https://a.example/blog/two"
    assert read(ATOM, "application/atom+xml") == [
        FoundLink("https://a.example/blog/logo.png", "image", "feed image", priority=1),
        FoundLink("https://a.example/favicon.ico", "image", "feed image", priority=1),
        FoundLink(robots, "page", "feed link"),
        FoundLink("https://a.example/blog/2026/enclosed.png", "image", "feed enclosure", "Robots", shown_on=robots),
        FoundLink("https://a.example/blog/2026/inside.jpg", "image", "feed content", "In", shown_on=robots),
        FoundLink(two, "page", "feed link"),
        FoundLink("https://a.example/blog/s.jpg", "image", "feed content", shown_on=two),
    ]


def test_an_rss_1_feed_is_read() -> None:
    rdf = (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">'
        '<channel rdf:about="x"><title>t</title></channel><image rdf:about="y"><url>/logo.gif</url></image>'
        '<item rdf:about="z"><link>https://a.example/one</link></item></rdf:RDF>'
    )
    assert named(read(rdf)) == [("logo.gif", "feed image"), ("one", "feed link")]


def test_broken_xml_is_read_up_to_where_it_breaks() -> None:
    assert read(SITEMAP.replace("</url><url><loc>/relative", "</url>&nbsp;<url><loc>/relative")) == IN_SITEMAP[:4]
    assert (
        read(gzip.compress(SITEMAP.encode())[:-30]) == read(SITEMAP)[: len(read(gzip.compress(SITEMAP.encode())[:-30]))]
    )


def test_a_document_type_or_an_entity_ends_the_reading() -> None:
    assert read('<!DOCTYPE rss [<!ENTITY a "/x">]><rss><item><link>&a;</link></item></rss>') == []
    assert read('<!DOCTYPE urlset SYSTEM "http://127.0.0.1/x.dtd">' + SITEMAP.partition("\n")[2]) == []


# --- which reader -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'<img src="a.jpg">', "text/html"),
        (b'<img src="a.jpg">', ""),
        (b'\n<!-- x --><!DOCTYPE html><html><img src="a.jpg">', "application/xml"),
        (b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><img src="a.jpg"/></html>', "text/xml"),
        (b'<html><head><title/><script src="x"/></head><img src="a.jpg"/></html>', "application/xhtml+xml"),
        (b'<p>\xe9<img src="a.jpg">', "text/html; charset=windows-1252"),
    ],
)
def test_a_page_is_read_as_one(body: bytes, content_type: str) -> None:
    assert not is_sitemap(body, content_type)
    assert only(read(body, content_type)).url == "https://a.example/dir/a.jpg"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'<html><img src="a.jpg">', "text/plain"),  # MIME Sniffing 7: a text is shown as one
        (b'<svg xmlns="http://www.w3.org/2000/svg"><image href="a.jpg"/></svg>', "application/xml"),
        (b"\x89PNG\r\n", "application/octet-stream"),
        (b"\x1f\x8b", "application/gzip"),
        (b"", "text/xml"),
        (gzip.compress(RSS.encode()), "application/gzip"),
        (gzip.compress(b'<html><img src="a.jpg">'), "text/html"),  # what it says about its use is not seen
    ],
)
def test_what_is_none_of_them_has_no_links(body: bytes, content_type: str) -> None:
    assert not is_sitemap(body, content_type)
    assert read(body, content_type) == []


@pytest.mark.parametrize(
    ("content_type", "url", "worth"),
    [
        ("text/html; charset=utf-8", "", True),
        ("", "", True),
        ("application/xhtml+xml", "", True),
        ("TEXT/XML", "", True),
        ("application/rss+xml", "", True),
        ("application/x-gzip", "https://a.example/sitemap.gz", True),
        ("application/x-gzip", "https://a.example/backup.tar.gz", False),
        ("text/plain", "https://a.example/blog/feed/", True),
        ("text/plain", "https://a.example/readme.txt", False),
        ("application/octet-stream", "https://a.example/sitemap1.xml.gz?x=1", True),
        ("binary/octet-stream", "https://a.example/sitemap-2.gz", True),
        ("application/octet-stream", "https://a.example/setup.exe", False),
        ("application/octet-stream", "https://a.example/get?f=a.xml", False),
        ("image/svg+xml", "", False),
        ("image/jpeg", "", False),
        ("application/json", "", False),
        ("application/pdf", "https://a.example/a.xml", False),
    ],
)
def test_the_header_says_whether_it_is_worth_looking(content_type: str, url: str, worth: bool) -> None:
    assert may_hold_links(content_type, url) is worth


def test_nofollow_is_said_of_pages_and_not_of_lists_of_links() -> None:
    assert read('<a href="/x">x</a>', "text/html", follow=False) == []
    assert read(SITEMAP, follow=False) == IN_SITEMAP


def test_the_document_on_discovery_names_every_way() -> None:
    document = (CHECKOUT / "docs/discovery.md").read_text()
    assert set(re.findall(r"^\| `([^`]+)` \|", document, re.MULTILINE)) == set(FoundAs)


@given(st.binary(max_size=100))
def test_any_bytes_are_survived(body: bytes) -> None:
    read(body, "")
    read(b"\x1f\x8b\x08" + body, "application/gzip")
    read(SITEMAP.encode()[:-9] + body)
    read(b"<rss><item>" + body)


@given(st.text(alphabet='<>/="&;! abitemlinkurlx:', max_size=100))
def test_any_markup_gives_whole_records(text: str) -> None:
    for record in read_records("<rss>" + text, {"item", "url"}, base=PAGE):
        assert record.name in ("item", "url")
        assert record.fields[-1].name == record.name


_LOCS = st.lists(st.from_regex(r"[a-z0-9&<'\"]{1,12}", fullmatch=True), max_size=6, unique=True)


@given(_LOCS)
def test_what_was_written_is_read_again(paths: list[str]) -> None:
    escaped = [path.replace("&", "&amp;").replace("<", "&lt;") for path in paths]
    body = URLSET + "".join(f"<url><loc>/{path}</loc></url>" for path in escaped) + "</urlset>"
    expected = [f"https://a.example/{path}".replace("<", "%3C").replace('"', "%22") for path in paths]
    assert [link.url for link in read(body)] == expected
