"""Licence documents of RSL that are not valid, stand in odd encodings, or are meant to harm their reader."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rsl_documents import (
    NOTHING,
    OPEN,
    TRAINING_DENIED,
    URL,
    contents,
    document,
    every,
    licence,
    permits,
    prohibits,
    read,
)

from checker.model import Stance, Use
from checker.signals.rsl import read_document
from checker.signals.rsl_document import DEPTH_MAX, DOCUMENT_BYTES_MAX, ELEMENTS_MAX

# --- documents that are not valid --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not XML",
        "<!doctype html><html><body>Not found</body></html>",
        "<rsl><content url='/'><license><prohibits type='usage'>ai-train</prohibits></license></content></rsl>",
        document(licence(permits("all"))).replace("https://", "http://"),
        document(licence(permits("all"))).replace("org/rsl", "org/rsl/2.0/"),
        "<rss xmlns:rsl='https://rslstandard.org/rsl'><rsl:content url='/'/></rss>",
        document(licence(permits("all"))).removesuffix("</rsl>"),
        document(licence(permits("all"))) + "<more/>",
        f"{OPEN}</rsl>",
        f'{OPEN}<x:content xmlns:x="urn:x" url="/"/></rsl>',
        document(),
        document("<terms>https://creativecommons.org/licenses/by-sa/4.0/</terms>"),
        contents(site=licence(permits("all")), other=""),
    ],
)
def test_a_document_that_is_not_valid_makes_every_use_conditional_4_3(body: str) -> None:
    assert read(body) == (every("conditional"), True)


@pytest.mark.parametrize(
    ("fault", "search"),
    [
        ("<permit>search</permit>", "conditional"),  # "unrecognized element" of RSL's namespace (3)
        ("<content url='/'/>", "conditional"),
        ("<permits>search</permits>", "conditional"),
        (permits("search", "use"), "conditional"),
        (permits("ai-input"), "conditional"),  # a second list of one type (3.5)
        (prohibits("", "Usage"), "conditional"),
        (prohibits("browsing"), "conditional"),
        (prohibits("x:browsing"), "conditional"),  # the prefix is not declared
        (prohibits("ai-train,search", ""), "deny"),
        ("<prohibits>search</prohibits>", "deny"),
        (prohibits("Search", "use"), "deny"),
        ('<payment type="inference"/>', "conditional"),  # 0.9
        ('<payment type="Free"/>', "conditional"),
        ('<payment type="free"/><payment type="free"/>', "conditional"),
    ],
)
def test_nothing_is_allowed_or_left_open_where_the_grammar_is_broken_and_refusals_stay_3(
    fault: str, search: str
) -> None:
    closed_list = document(licence(permits("search"), prohibits("ai-train"), fault))
    assert read(closed_list) == (every("deny") | {"search": search}, True)
    elsewhere = contents(site=licence(prohibits("ai-train")), other=licence(permits("search"), fault, fault))
    assert read(elsewhere) == (every("conditional") | TRAINING_DENIED, True)


@pytest.mark.parametrize("url", ["art/", "img.example/art/", "https://*.example/", "https://img.example*", "ftp://a/"])
def test_a_content_whose_reach_cannot_be_understood_refuses_everywhere_our_choice(url: str) -> None:
    assert read(document(licence(permits("all")), url=url)) == (every("conditional"), True)
    assert read(document(licence(prohibits("all")), url=url)) == (every("deny"), True)


def test_a_content_without_a_url_refuses_everywhere_our_choice() -> None:
    body = f"{OPEN}<content>{licence(prohibits('ai-train'))}</content></rsl>"
    assert read(body) == (every("conditional") | TRAINING_DENIED, True)


@pytest.mark.parametrize(
    ("tokens", "refused"),
    [
        ("ai-train, search", {"train-ai", "train-genai", "search"}),
        ("AI-ALL", {"train-ai", "train-genai", "index"}),
        ("train-ai", {"train-ai", "train-genai"}),
        ("train-genai", {"train-genai"}),
        ("everything", set()),
    ],
)
def test_inexact_tokens_refuse_and_never_permit_our_choice(tokens: str, refused: set[str]) -> None:
    assert read(document(licence(prohibits(tokens)))) == (
        every("conditional") | dict.fromkeys(refused, "deny"),
        True,
    )
    closed_list = every("deny") | dict.fromkeys(refused, "conditional")
    assert read(document(licence(permits(tokens)))) == (closed_list, True)


def test_an_empty_list_of_permits_permits_nothing_our_choice() -> None:
    assert read(document(licence(permits(" ")))) == (every("deny"), True)


def test_tokens_of_declared_extensions_are_not_interpreted_3_4_1() -> None:
    body = document(licence(permits("search x:translate"), prohibits("x:print"))).replace(
        "<rsl", '<rsl xmlns:x="urn:x"'
    )
    assert read(body) == (every("deny") | {"search": "allow"}, False)


def test_elements_of_other_namespaces_are_left_out_with_all_they_hold_errata_2026_08_07() -> None:
    foreign = f'<x:more xmlns:x="urn:x">{prohibits("search")}<permit/></x:more>'
    body = document(foreign, licence(permits("search"), foreign), foreign).replace("</rsl>", foreign + "</rsl>")
    assert read(body) == (every("deny") | {"search": "allow"}, False)


def test_a_prefixed_root_is_the_same_root() -> None:
    body = '<r:rsl xmlns:r="https://rslstandard.org/rsl"><r:content url="/"><r:license/></r:content></r:rsl>'
    assert read(body) == (NOTHING, False)


# --- encodings and hostile documents ---


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le-bom", "utf-16-be-bom"])
def test_a_byte_order_mark_names_the_encoding(encoding: str) -> None:
    body = document(licence(prohibits("ai-train")), url="/art/*")
    marked = (
        body.encode(encoding)
        if not encoding.endswith("-bom")
        else ("\ufeff" + body).encode(encoding.removesuffix("-bom"))
    )
    findings = read_document(marked, URL, place="licence")
    assert read(marked) == (TRAINING_DENIED, False)
    assert findings[0].raw.startswith('<content url="/art/*"><license>')


@pytest.mark.parametrize(
    ("declared", "malformed"),
    [
        ("UTF-8", False),
        ("iso-8859-1", False),
        ("windows-1252", False),
        ("utf-16", True),
        ("utf-7", True),
        ("unicode_escape", True),
        ("idna", True),
        ("no-such-thing", True),
        ("big5", True),
        ("", True),
    ],
)
def test_a_declared_encoding_is_used_where_it_is_one_of_text(declared: str, malformed: bool) -> None:
    body = f'<?xml version="1.0" encoding="{declared}"?>' + document(licence(prohibits("ai-train")))
    assert read(body) == ((every("conditional"), True) if malformed else (TRAINING_DENIED, False))


@pytest.mark.parametrize("position", [0, 40, 60])
def test_nul_bytes_make_a_document_unreadable(position: int) -> None:
    body = document(licence(permits("all"))).encode()
    assert read(body[:position] + b"\0" + body[position:]) == (every("conditional"), True)


def test_bytes_that_are_no_utf_8_make_a_document_unreadable() -> None:
    assert read(document(licence(permits("all"))).encode() + b"<!-- \xe9 -->") == (every("conditional"), True)


def test_document_types_entities_and_external_references_are_refused() -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    rest = document(licence(permits("&l11;")))
    for prologue in (
        f'<!DOCTYPE rsl [<!ENTITY l0 "all">{laughs}]>',
        '<!DOCTYPE rsl [<!ENTITY l11 SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE rsl SYSTEM "https://dtd.example/rsl.dtd">',
        '<!DOCTYPE rsl [<!ENTITY % p SYSTEM "https://dtd.example/p">%p;]>',
        "<!DOCTYPE rsl>",
    ):
        started = time.process_time()
        assert read(prologue + rest) == (every("conditional"), True)
        assert time.process_time() - started < 1.0
    assert read(document(licence(permits("&all;")))) == (every("conditional"), True)


@pytest.mark.parametrize(
    ("inside", "malformed"),
    [
        (f'<x xmlns="urn:x">{"<x>" * (DEPTH_MAX - 2)}{"</x>" * (DEPTH_MAX - 2)}</x>', False),
        (f'<x xmlns="urn:x">{"<x>" * (DEPTH_MAX - 1)}{"</x>" * (DEPTH_MAX - 1)}</x>', True),
        ('<x xmlns="urn:x"/>' * (ELEMENTS_MAX - 3), False),
        ('<x xmlns="urn:x"/>' * (ELEMENTS_MAX - 2), True),
        ("<!--" + "a" * (DOCUMENT_BYTES_MAX - 108) + "-->", False),
        ("<!--" + "a" * DOCUMENT_BYTES_MAX + "-->", True),
    ],
    ids=["deep", "too deep", "many", "too many", "large", "too large"],
)
def test_depth_elements_and_bytes_are_limited(inside: str, malformed: bool) -> None:
    body = f'{OPEN}<content url="/"><license/></content>{inside}</rsl>'
    assert read(body) == ((every("conditional"), True) if malformed else (NOTHING, False))


@pytest.mark.parametrize(
    "body",
    [
        OPEN + "<content>" * 50_000,
        "<a>" * 1_000_000,
        OPEN + "<a/>" * 1_000_000,
        OPEN + "<a/>" * 120_000,
        OPEN + "<content " + " ".join(f"a{n}='1'" for n in range(40_000)) + "/></rsl>",
        OPEN + "<content url='/*a*a*a*a*b'><license/></content>" * 9_900 + "</rsl>",
        OPEN + "<content url='/'>" + "<license/>" * 19_900 + "</content></rsl>",
        OPEN + "".join(f"<content url='/{'*' * n}'><license/></content>" for n in range(900)) + "</rsl>",
        document(licence(permits("a " * 200_000))),
        document(licence(permits("&#97;" * 90_000))),
        document(licence(), url="/" + "*a" * 200_000),
        OPEN + "<!-- " * 90_000,
        OPEN + "<content url='" + "a" * 400_000,
        "\0" * 500_000,
    ],
    ids=lambda body: f"{body[:60]!r}"[-30:],
)
def test_no_document_takes_long(body: str) -> None:
    started = time.process_time()
    read(body, "https://img.example/art/" + "a" * 4_000)
    assert time.process_time() - started < 3.0


PIECES = st.sampled_from(
    [
        *(
            OPEN,
            "</rsl>",
            '<content url="/">',
            '<content url="">',
            "<content>",
            "</content>",
            "<license>",
            "</license>",
        ),
        *("<license/>", '<permits type="usage">', "</permits>", '<prohibits type="usage">', "</prohibits>", "all", " "),
        *("ai-train", "search", ",", "x:y", '<payment type="free"/>', "<payment>", "</payment>", "<!--", "-->", "&lt;"),
        *('<?xml version="1.0" encoding="utf-16"?>', "<![CDATA[", "]]>", "<x:a xmlns:x='urn:x'>", "</x:a>", "\0", "é"),
        *("&#0;", "&#55296;", "<", ">", '"', "]", "\ufeff", "<!DOCTYPE a>", "&a;", 'server=""', "\udce9"),
    ]
)
SOUP = st.lists(PIECES, max_size=30).map(lambda pieces: "".join(pieces).encode("utf-8", "surrogateescape"))
BODIES = st.one_of(SOUP, st.binary(max_size=200), SOUP.map(lambda soup: OPEN.encode() + soup))


@settings(max_examples=300, deadline=None)
@given(BODIES, st.one_of(st.just(URL), st.text(max_size=30)), st.booleans(), st.booleans())
def test_the_reader_survives_anything_and_what_it_cannot_read_blocks(
    body: bytes, url: str, grants: bool, stands_in_page: bool
) -> None:
    findings = read_document(body, url, place="licence", grants=grants, stands_in_page=stands_in_page)
    assert findings
    for finding in findings:
        finding.raw.encode("utf-8")
        finding.scope.encode("utf-8")
        assert len(finding.raw) <= 500
        if finding.malformed:
            assert set(finding.uses) == set(Use)
            assert set(finding.uses.values()) <= {Stance.CONDITIONAL, Stance.DENY}
        assert grants or Stance.ALLOW not in finding.uses.values()
