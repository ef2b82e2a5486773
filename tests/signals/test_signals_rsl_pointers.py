"""Where licences of RSL are found, and what the pointers say with the documents that were fetched for them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rsl_documents import TRAINING_DENIED, URL, Response, document, every, licence, permits, prohibits

from checker.model import Stance
from checker.signals.html import read_page
from checker.signals.robots import parse_robots
from checker.signals.rsl import Pointer, pointers, read_licenses
from checker.signals.rsl_pointers import POINTERS_MAX
from checker.signals.statements import merged

AGENT = "ExampleImageBot"
TERMS = "https://img.example/license.xml"
RSL = 'rel="license"; type="application/rsl+xml"'
FREE, REFUSED = document(licence(permits("search"))), document(licence(prohibits("ai-train")))


def of_robots(text: str, agent: str = AGENT) -> list[tuple[str | None, str, bool]]:
    found = pointers(parse_robots(text.encode()), (), None, agent=agent, url=URL)
    return [(one.url, one.place, one.grants) for one in found]


def of_link(*lines: str, url: str = URL) -> list[tuple[str | None, bool]]:
    found = pointers(None, [("LINK", line) for line in lines], None, agent=AGENT, url=url)
    assert {one.place for one in found} <= {"header Link"}
    return [(one.url, one.grants) for one in found]


def of_page(html: str, *, is_target: bool = True, page_url: str = "") -> tuple[Pointer, ...]:
    return pointers(
        None, (), html.encode(), agent=AGENT, url="https://a.example/page", page_url=page_url, page_is_target=is_target
    )


def said(found: tuple[Pointer, ...], **documents: Response) -> tuple[dict[str, str], list[tuple[bool, bool]]]:
    """The stances together, and whether each finding is malformed or unreachable; "terms" was fetched from TERMS."""
    fetched = {TERMS if name == "terms" else f"https://img.example/{name}.xml": one for name, one in documents.items()}
    findings = read_licenses(found, fetched, URL)
    assert len(findings) >= len(found)
    uses = {use.value: stance.value for use, stance in merged(finding.uses for finding in findings).items()}
    return uses, [(finding.malformed, finding.unreachable) for finding in findings]


# --- robots.txt (4.4) --------------------------------------------------------------------------------------------


def test_a_licence_outside_of_groups_is_for_everybody_4_4() -> None:
    assert of_robots(f"license : {TERMS} # ours\nUser-agent: *\nAllow: /\n") == [(TERMS, "robots.txt line 1", True)]


def test_licences_of_the_selected_group_replace_those_outside_of_groups_4_4_3() -> None:
    robots = (
        "License: https://a.example/all.xml\n"
        "User-agent: ExampleImageBot\nLicense: https://a.example/ours.xml\nLicense: https://a.example/more.xml\n"
        "Allow: /\nUser-agent: *\nLicense: https://a.example/others.xml\n"
    )
    ours = [
        ("https://a.example/ours.xml", "robots.txt line 3", True),
        ("https://a.example/more.xml", "robots.txt line 4", True),
    ]
    assert of_robots(robots) == ours
    assert of_robots(robots, "OtherBot") == [("https://a.example/others.xml", "robots.txt line 7", True)]


def test_a_group_without_a_licence_leaves_those_outside_of_groups_4_4_3() -> None:
    robots = f"License: {TERMS}\nUser-agent: {AGENT}\nAllow: /\nUser-agent: *\nLicense: https://a.example/l.xml\n"
    assert of_robots(robots) == [(TERMS, "robots.txt line 1", True)]


def test_what_is_no_address_leads_nowhere_and_replaces_nothing_our_choice() -> None:
    robots = f"License: {TERMS}\nUser-agent: *\nLicense: MIT\n"
    assert of_robots(robots) == [(None, "robots.txt line 3", False), (TERMS, "robots.txt line 1", True)]
    assert of_robots("License:\nUser-agent: *\nLicense:\n") == []


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("/license.xml", TERMS),
        ("http://img.example/license.xml", "http://img.example/license.xml"),
        ("ftp://img.example/license.xml", None),
        ("https://", None),
        ("https://[::1/l.xml", None),
        ("CC BY 4.0", None),
    ],
)
def test_only_an_absolute_address_over_https_can_permit_4_4_8(value: str, url: str | None) -> None:
    assert of_robots(f"License: {value}\n") == [(url, "robots.txt line 1", False)]


# --- Link headers (4.5) ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        f"<{TERMS}>; {RSL}",
        f"<{TERMS}>;rel=license;type=application/rsl+xml",
        f'< {TERMS} > ; REL = License ; Type = "application/rsl+xml"',
        f'<{TERMS}>; type="Application/RSL+XML; charset=utf-8"; rel="alternate license"',
        f'<{TERMS}>; title="a, <b>; rel=\\"x\\""; {RSL}',
        f"<{TERMS}>; {RSL}; rel=next; type=text/html",  # the first of each counts (3.3, 3.4.1)
        f",, <{TERMS}>;; {RSL} ,",
        f'<https://a.example/style.css>; rel=preload, <{TERMS}>; {RSL}, <https://a.example/>; rel="next"',
    ],
)
def test_a_link_to_a_licence_is_found_rfc_8288(line: str) -> None:
    assert of_link(line) == [(TERMS, True)]


@pytest.mark.parametrize(
    "line",
    [
        "",
        f'<{TERMS}>; rel="license"',
        f"<{TERMS}>; rel=license; type=application/xml",
        f"<{TERMS}>; rel=license; type=text/html; type=application/rsl+xml",
        '<https://a.example/>; title="<https://b.example/>; type=application/rsl+xml"; rel=next',
    ],
)
def test_other_links_are_no_licences_of_this_kind(line: str) -> None:
    assert of_link(line) == []


def test_several_links_and_lines_all_count_4_2() -> None:
    found = of_link(f"<{TERMS}>; {RSL}, <https://b.example/l.xml>; {RSL}", f"<https://c.example/l.xml>; {RSL}")
    assert found == [(TERMS, True), ("https://b.example/l.xml", True), ("https://c.example/l.xml", True)]


@pytest.mark.parametrize(
    ("line", "url"),
    [
        (f"</license.xml>; {RSL}", TERMS),
        (f"<http://img.example/license.xml>; {RSL}", "http://img.example/license.xml"),
        (f"<{TERMS}>; type=application/rsl+xml", TERMS),
        (f"<{TERMS}>; rel=describedby; type=application/rsl+xml", TERMS),
        (f'<{TERMS}>; {RSL}; anchor="/other"', TERMS),
        (f"{TERMS}; {RSL}", None),
        (f"<{TERMS}; {RSL}", None),
        (f"<{TERMS}> {RSL}", None),
    ],
)
def test_a_link_in_another_form_can_refuse_and_not_permit_our_choice(line: str, url: str | None) -> None:
    assert of_link(line) == [(url, False)]


def test_without_the_address_of_the_response_a_relative_link_leads_nowhere() -> None:
    assert of_link(f"</license.xml>; {RSL}", url="") == [(None, False)]


# --- pages (4.6) -------------------------------------------------------------------------------------------------


def test_a_page_links_to_a_licence_4_6_1() -> None:
    (found,) = of_page(f"<link rel='License' type=application/rsl+xml href='{TERMS}'>")
    assert found == Pointer(TERMS, None, "link to a licence in the page", TERMS, grants=True)
    assert of_page(f"<link rel=license href='{TERMS}'><link rel=license type=text/html href='{TERMS}'>") == ()
    assert of_page("<link rel=license type=application/rsl+xml href=''>") == ()
    assert of_page(f"<!-- <link rel=license type=application/rsl+xml href='{TERMS}'> -->") == ()


def test_a_licence_stands_in_a_page_4_6_2() -> None:
    (found,) = of_page(f"<body><p><script type='application/rsl+xml'>\n{REFUSED}</script></p>")
    assert (found.url, found.place, found.grants) == (None, "licence in the page", True)
    assert said((found,)) == (TRAINING_DENIED, [(False, False)])


def test_an_inline_licence_is_utf_8_whatever_it_declares() -> None:
    xml = f'\n<?xml version="1.0" encoding="utf-16"?>\n{REFUSED}\n'
    assert said(of_page(f"<script type=application/rsl+xml>{xml}</script>")) == (TRAINING_DENIED, [(False, False)])


def test_an_inline_licence_with_the_address_of_another_copy_can_refuse_only_4_6_2() -> None:
    other = "https://syndicate.example/articles/1"
    refused = document(licence(permits("search")), url=other)
    found = of_page(f"<script type=application/rsl+xml>{refused}</script>")
    uses = every("deny")
    del uses["search"]
    assert said(found) == (uses, [(False, False)])


def test_a_page_that_embeds_the_picture_can_refuse_and_not_permit_our_choice() -> None:
    uses = every("deny")
    del uses["search"]
    found = of_page(f"<link rel=license type=application/rsl+xml href='{TERMS}'>", is_target=False)
    assert said(found, terms=Response(200, FREE.encode())) == (uses, [(False, False)])
    assert said(found, terms=Response(200, REFUSED.encode())) == (TRAINING_DENIED, [(False, False)])


@pytest.mark.parametrize(
    ("html", "page_url", "url"),
    [
        ("<link rel=license type=application/rsl+xml href=/l.xml>", "", None),
        (
            "<link rel=license type=application/rsl+xml href=l.xml>",
            "https://b.example/x/y",
            "https://b.example/x/l.xml",
        ),
        ("<link type=application/rsl+xml href=https://b.example/l.xml>", "", "https://b.example/l.xml"),
        ("<script type=application/rsl+xml src=https://b.example/l.xml></script>", "", "https://b.example/l.xml"),
    ],
)
def test_a_link_of_a_page_in_another_form_can_refuse_only_our_choice(html: str, page_url: str, url: str | None) -> None:
    found = of_page(html, is_target=False, page_url=page_url)
    assert [(one.url, one.grants) for one in found] == [(url, False)]


def test_page_tags_do_without_the_text_of_inline_licences() -> None:
    html = f"<link rel=license type=application/rsl+xml href='{TERMS}'><script type=application/rsl+xml>{FREE}</script>"
    found = pointers(None, (), read_page(html.encode()), agent=AGENT, url=URL)
    assert [(one.url, one.body, one.grants) for one in found] == [(TERMS, None, False), (None, None, False)]


def test_a_page_in_utf_16_is_read() -> None:
    html = f"\ufeff<link rel=license type=application/rsl+xml href='{TERMS}'>".encode("utf-16-le")
    assert [one.url for one in pointers(None, (), html, agent=AGENT)] == [TERMS]


IN_ROBOTS = pointers(parse_robots(f"License: {TERMS}\n".encode()), (), None, agent=AGENT)


def test_a_fetched_document_counts() -> None:
    assert said(IN_ROBOTS, terms=Response(200, FREE.encode())) == (
        every("deny") | {"search": "allow"},
        [(False, False)],
    )
    assert said(IN_ROBOTS, terms=Response(200, REFUSED.encode())) == (TRAINING_DENIED, [(False, False)])


@pytest.mark.parametrize(
    "response",
    [
        None,  # nobody fetched it
        Response(404, FREE.encode()),
        Response(301),
        Response(403),
        Response(500),
        Response(None, error="timeout"),
        Response(200, FREE.encode(), error="cut off"),
    ],
)
def test_a_document_that_cannot_be_had_makes_every_use_conditional_and_is_not_malformed_4_3(
    response: Response | None,
) -> None:
    documents = {} if response is None else {"terms": response}
    assert said(IN_ROBOTS, **documents) == (every("conditional"), [(False, True)])


@pytest.mark.parametrize("body", [b"", b"<!doctype html><p>Hello", b"\xff\xfe"])
def test_a_document_that_cannot_be_read_makes_every_use_conditional_and_is_malformed_4_3(body: bytes) -> None:
    assert said(IN_ROBOTS, terms=Response(200, body)) == (every("conditional"), [(True, False)])


def test_a_pointer_that_leads_nowhere_is_malformed() -> None:
    found = pointers(parse_robots(b"License: MIT\n"), (), None, agent=AGENT, url=URL)
    assert said(found) == (every("conditional"), [(True, False)])


def test_places_combine_to_the_most_restrictive_4_9() -> None:
    headers = [("Link", f"<https://img.example/other.xml>; {RSL}")]
    found = pointers(parse_robots(f"License: {TERMS}\n".encode()), headers, None, agent=AGENT, url=URL)
    free, refused = Response(200, FREE.encode()), Response(200, document(licence(prohibits("search"))).encode())
    assert said(found, terms=free, other=refused)[0] == every("deny")
    assert said(found, terms=refused, other=free)[0] == every("deny")
    assert said(found, terms=free, other=Response(404))[0] == every("deny") | {"search": "conditional"}
    assert said(found, terms=free, other=free)[0] == every("deny") | {"search": "allow"}


def test_no_pointers_say_nothing() -> None:
    assert pointers(None, (), None, agent=AGENT) == ()
    assert pointers(parse_robots(b"User-agent: *\nAllow: /\n"), [("Server", "x")], b"<p>", agent=AGENT, url=URL) == ()
    assert read_licenses((), {}, URL) == ()


def test_evidence_names_the_pointer_and_the_document() -> None:
    (finding,) = read_licenses(IN_ROBOTS, {TERMS: Response(404)}, URL)
    assert (finding.place, finding.raw) == ("robots.txt line 1", f"{TERMS}: HTTP 404")
    (finding,) = read_licenses(IN_ROBOTS, {TERMS: Response(200, REFUSED.encode())}, URL)
    assert finding.place == "robots.txt line 1, content 1"


def test_more_pointers_than_the_limit_leave_one_that_leads_nowhere() -> None:
    robots = parse_robots(b"".join(b"License: https://a.example/%d\n" % n for n in range(5_000)))
    found = pointers(robots, (), None, agent=AGENT, url=URL)
    assert len(found) == POINTERS_MAX
    assert [one.url for one in found[-2:]] == [f"https://a.example/{POINTERS_MAX - 2}", None]
    assert said(found)[0] == every("conditional")
    assert len(pointers(parse_robots(b"License: https://a.example/1\n" * 16), (), None, agent=AGENT)) == 16


@pytest.mark.parametrize(
    "line",
    [
        f"<a>; {RSL}, " * 20_000,
        "<" * 500_000,
        "<a>" * 200_000,
        "<a>" + ";" * 500_000,
        "<a>" + "; " * 250_000,
        "<a>;" + " " * 500_000 + "x",
        "<a>; a=" + " " * 500_000 + '"',
        '<a>; title="' + "\\" * 500_001,
        '<a>; title="' + 'x" ' * 100_000,
        ", " * 250_000,
    ],
    ids=lambda line: line[:12],
)
def test_no_header_takes_long(line: str) -> None:
    started = time.process_time()
    of_link(line)
    assert time.process_time() - started < 2.0


WORDS = st.sampled_from(
    [
        *("License: ", "User-agent: *", "\n", "https://a.example/", "http://", "/l.xml", "<", ">", ";", ",", "=", '"'),
        *("rel", "license", "type", "application/rsl+xml", "\\", " ", "<link ", "<script ", "href=", "</script>", "é"),
        *(REFUSED, FREE, "\x00", "\udce9", "]", "[", "//", "https://[", "%", "anchor", "\ufeff", "src="),
    ]
)
SOUP = st.lists(WORDS, max_size=30).map("".join)


@settings(max_examples=300, deadline=None)
@given(SOUP, st.lists(st.tuples(st.sampled_from(["Link", "link ", ""]), SOUP), max_size=3), SOUP, SOUP, st.booleans())
def test_finding_and_reading_survive_anything(
    robots: str, headers: list[tuple[str, str]], page: str, url: str, is_target: bool
) -> None:
    octets = page.encode("utf-8", "surrogateescape")
    file = parse_robots(robots.encode("utf-8", "surrogateescape"))
    found = pointers(file, headers, octets, agent=AGENT, url=url, page_url=url, page_is_target=is_target)
    assert len(found) <= POINTERS_MAX
    for one in found:
        assert one.url is None or one.body is None
        assert one.url is None or one.url.lower().startswith(("https://", "http://"))
        assert not one.grants or one.body is not None or (one.url or "").lower().startswith("https://")
    fetched = {one.url: Response(200, FREE.encode()) for one in found if one.url is not None}
    for finding in read_licenses(found, fetched, url):
        finding.raw.encode("utf-8")
        finding.place.encode("utf-8")
        assert len(finding.raw) <= 500
        assert not ((finding.malformed or finding.unreachable) and Stance.ALLOW in finding.uses.values())
