"""RSL in RSS feeds: RSL 1.0 4.7, and what is in doubt beside it."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rsl_documents import NOTHING, TRAINING_DENIED, URL, Response, every, licence, permits, prohibits, read

from checker.model import Stance
from checker.signals.robots import parse_robots
from checker.signals.rsl import pointers, read_document, read_licenses
from checker.signals.statements import merged

ALL_BUT_SEARCH_DENIED = every("deny") | {"search": "allow"}


def prefixed(text: str) -> str:
    return text.replace("</", "</rsl:").replace("<", "<rsl:").replace("<rsl:/rsl:", "</rsl:")


def item(url: str, *parts: str) -> str:
    content = prefixed(f'<content url="{url}">{licence(*parts)}</content>')
    return f"<item><title>A photo</title><link>{url}</link>{content}</item>"


def feed(*items: str, channel: str = "") -> str:
    opening = '<?xml version="1.0"?><rss xmlns:rsl="https://rslstandard.org/rsl" version="2.0">'
    return f"{opening}<channel><title>Photos</title>{channel}{''.join(items)}</channel></rss>"


def pointed_at(body: str, feed_url: str) -> dict[str, str]:
    """What is said of the picture where its robots.txt names a feed at this address."""
    found = pointers(parse_robots(f"License: {feed_url}\n".encode()), (), None, agent="X", url=URL)
    findings = read_licenses(found, {feed_url: Response(200, body.encode())}, URL)
    return {use.value: stance.value for use, stance in merged(finding.uses for finding in findings).items()}


def test_the_items_of_a_feed_hold_licences_4_7() -> None:
    assert read(feed(item(URL, prohibits("ai-train")))) == (TRAINING_DENIED, False)
    assert read(feed(item("/art/a.jpg", permits("search")))) == (ALL_BUT_SEARCH_DENIED, False)


def test_each_item_speaks_of_its_own_address_4_7() -> None:
    other = item("https://img.example/blog/", prohibits("all"))
    assert read(feed(other)) == (NOTHING, False)
    assert read(feed(other, item(URL, permits("search")))) == (ALL_BUT_SEARCH_DENIED, False)


def test_all_else_of_a_feed_is_left_out() -> None:
    media = '<item><enclosure url="/art/a.jpg"/><m:content xmlns:m="http://search.yahoo.com/mrss/" url="/"/></item>'
    assert read(feed(media, item(URL, prohibits("ai-train")))) == (TRAINING_DENIED, False)


def test_a_feed_permits_what_its_own_host_serves_only_4_7() -> None:
    body = feed(item(URL, permits("search")))
    assert pointed_at(body, "https://img.example/feed.xml") == ALL_BUT_SEARCH_DENIED
    refused = {use: stance for use, stance in ALL_BUT_SEARCH_DENIED.items() if stance == "deny"}
    assert pointed_at(body, "https://www.example/feed.xml") == refused


@pytest.mark.parametrize(
    "body",
    [
        feed(),
        feed("<item><title>No licence</title></item>"),
        feed(channel=prefixed(f'<content url="/">{licence(permits("all"))}</content>')),
        feed(item("", permits("all"))),
        feed(item(URL, permits("all")), item("/b/", "<permit/>")),
        feed(item(URL, permits("all"))).replace("https://rslstandard.org", "http://rslstandard.org"),
        feed(item(URL, permits("all"))).replace("<rss ", '<rss xmlns="http://backend.userland.com/rss2" '),
        # Atom is not among the places that the standard names.
        f'<feed xmlns="http://www.w3.org/2005/Atom" xmlns:rsl="https://rslstandard.org/rsl">{item("/")}</feed>',
        feed(item(URL, permits("all"))).removesuffix("</rss>"),
        "<!DOCTYPE rss>" + feed(item(URL, permits("all"))).partition("?>")[2],
    ],
    ids=range(10),
)
def test_a_feed_that_is_not_as_4_7_has_it_makes_every_use_conditional_4_3(body: str) -> None:
    assert read(body) == (every("conditional"), True)


def test_what_a_feed_that_is_not_valid_refuses_stays_refused() -> None:
    broken = feed(item("/b/", "<permit/>"), item(URL, prohibits("ai-train")))
    assert read(broken) == (every("conditional") | TRAINING_DENIED, True)


PIECES = st.sampled_from(
    [
        *("<rss xmlns:rsl='https://rslstandard.org/rsl'>", "</rss>", "<channel>", "</channel>", "<item>", "</item>"),
        *(
            prefixed('<content url="/">'),
            "</rsl:content>",
            prefixed(licence(permits("all"))),
            "<rsl:rsl>",
            "</rsl:rsl>",
        ),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=12).map("".join))
def test_a_permission_stands_in_an_item_of_a_whole_feed(body: str) -> None:
    findings = read_document(body.encode(), URL, place="licence")
    assert findings
    if Stance.ALLOW in {stance for finding in findings for stance in finding.uses.values()}:
        root = ElementTree.fromstring(body)
        assert root.tag == "rss"
        assert len(root.findall("./channel/item/{*}content")) == len(root.findall(".//{*}content")) > 0
