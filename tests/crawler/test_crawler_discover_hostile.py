"""Documents made to keep a reader busy or to fill it. Each would take minutes, or gigabytes, without the limits."""

from __future__ import annotations

import gzip
import subprocess
import sys
import time

import pytest
from discovered import links, read
from hibs_command import CHECKOUT

from checker.signals.markup import ATTRIBUTES_MAX, START_TAGS_MAX, TAGS_MAX, tamed
from crawler.discover.records import FIELDS_MAX, RECORDS_MAX, read_records

MIB = 2**20
SITEMAP = b"<urlset><url><loc>/x</loc></url></urlset>"

PAGES = {
    "links": "".join(f"<a href=/{n}>x</a>" for n in range(10_000)),
    "long address": f"<a href='/{'a' * MIB}'><img src='/{'a' * MIB}.jpg'>",
    "long base": f"<base href='/{'a' * MIB}'>" + "".join(f"<img src={n}.jpg>" for n in range(6_000)),
    "long style": f"<p style='{'a:url(x.png);' * 80_000}'>",
    "brackets": f"<style>a{{b:url(x);c:{'(' * MIB}</style>",
    "comments": "<style>" + "url(/*" * 100_000 + "</style>",
    "json": "<script type='application/ld+json'>" + "[" * 500_000 + "</script>",
    "blanks in json": f"<script type='application/ld+json'>{' ' * (MIB - 10)};x;</script>",
    "attributes": f"<img {' '.join(f'a{n}' for n in range(200_000))}>",
    "attributes of an end": f"</p {' '.join(f'a{n}' for n in range(200_000))}>",
    "attributes with ends": "<img " + " ".join(f"a{n}='>'" for n in range(200_000)) + ">",
    "tags in tags": ("<a" * 5_000 + " ") * 200,
    "open formatting": "<div>" + "".join(f"<b id={n}>" for n in range(15_000)) + "</div>" + "<div>x</div>" * 15_000,
    "nested": "<div>" * 200_000 + '<img src="deep.jpg">',
    "ends of nothing": "<span>" * 10_000 + "</x>" * 300_000,
    "sources": "<picture>" + "<source srcset=a>" * 30_000 + "</picture>",
    "pictures": "<picture><source srcset=a>" * 10_000,
    "descriptors": f'<img srcset="a {"b " * 200_000}">',
    "figures": "<figure><figcaption>x<img src=a>" * 8_000,
    "links in links": "<object><a href=a.jpg>x" * 13_000,
}


@pytest.mark.parametrize("html", PAGES.values(), ids=PAGES)
def test_no_page_keeps_the_reader_busy(html: str) -> None:
    begin_s = time.process_time()
    assert len(links(html)) <= 6_000
    assert time.process_time() - begin_s < 10  # the slowest takes 2 s


def test_open_formatting_elements_fill_nothing() -> None:
    """200 KB make 64 million elements, some 20 GB, in a parser that follows the standard (13.2.4.3)."""
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30));"
        "from discovered import links;"
        "html = '<div>' + ''.join(f'<b id={n}>' for n in range(8000)) + '</div>' + '<div>x</div>' * 8000;"
        "print(len(links(html + '<img src=a.jpg>')))"
    )
    paths = {"PYTHONPATH": f"{CHECKOUT}:{CHECKOUT / 'tests' / 'crawler'}", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, env=paths, check=False)
    assert done.stdout == b"1\n", done.stderr.decode()


def test_a_page_is_cut_where_it_would_cost_too_much() -> None:
    many = " ".join(f"a{n}" for n in range(ATTRIBUTES_MAX))
    assert tamed(b"<p><img %s><br>" % many.encode()) == b"<p><img %s><br>" % many.encode()
    assert tamed(b"<p><img %s x><br>" % many.encode()) == b"<p>"
    assert tamed(b"<p></p></p>" * TAGS_MAX) == (b"<p></p></p>" * TAGS_MAX)[: TAGS_MAX // 3 * 11 + len(b"<p></p>")]
    assert tamed(b"<p>" * TAGS_MAX) == b"<p>" * START_TAGS_MAX


def test_what_stands_in_a_value_is_no_attribute() -> None:
    html = b"<img data-x='%s' alt=\"%s\" src=a.jpg><br>" % (b"a b=c " * 1_000, b"<i> " * 1_000)
    assert tamed(html).startswith(b"<img data-x='a b=c ")
    assert tamed(html).endswith(b"src=a.jpg><br>")


def test_ordinary_markup_stays_but_for_formatting() -> None:
    assert tamed(b"<B><body><Strong\nid=1>x</b></strong/><img><small>") == (
        b"<x-f><body><x-f\nid=1>x</x-f></x-f/><img><x-f>"
    )
    assert (
        tamed(b"<base><br><section><track><sub><ul><a><col>1 < b")
        == b"<base><br><section><track><sub><ul><a><col>1 < b"
    )


def test_a_gzip_bomb_is_unpacked_to_a_bound() -> None:
    bomb = gzip.compress(SITEMAP[:-9] + b" " * 200 * MIB, 1)
    assert len(read(bomb, "application/gzip")) == 1
    assert read(gzip.compress(b"") * 100_000 + gzip.compress(SITEMAP), "application/gzip") == []


@pytest.mark.parametrize(
    "body",
    [
        "<rss><item>" + "<a>" * 300_000,
        "<rss>" + "<a>" * 300_000,
        "<rss>" + "<item/>" * 300_000,
        "<rss><item a='" + "x" * 10 * MIB,
        "<rss><item " + " ".join(f"a{n}='1'" for n in range(100_000)),
        "<rss><item><link>" + "x" * 10 * MIB,
        "<rss>" + ("<item><description>" + "&lt;i&gt;" * 3_000 + "</description></item>") * 100,
        "<?" * 2 * MIB,
        "<!--" * MIB,
        "<!doctype [" * 400_000,
    ],
    ids=["depth in an item", "depth", "items", "value", "attributes", "text", "contents", "instructions", "comments",
         "types"],
)  # fmt: skip
def test_no_feed_keeps_the_reader_busy(body: str) -> None:
    begin_s = time.process_time()
    assert read(body) == []
    assert time.process_time() - begin_s < 10  # the slowest takes 1 s


def test_entries_and_fields_are_counted() -> None:
    entries = "<urlset>" + "<url><loc>/1</loc></url>" * (RECORDS_MAX + 10)
    assert sum(1 for _ in read_records(entries, {"url"}, base="https://a.example/")) == RECORDS_MAX
    fields = "<urlset><url>" + "<loc>/1</loc>" * (FIELDS_MAX + 10) + "</url></urlset>"
    (record,) = read_records(fields, {"url"}, base="https://a.example/")
    assert len(record.fields) == FIELDS_MAX
