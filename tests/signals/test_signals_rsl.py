"""Really Simple Licensing: clauses of RSL 1.0 with their numbers, then our own choices, then hostile documents.

How licences are pointed at is tested in test_signals_rsl_pointers.py.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rsl_documents import (
    NOTHING,
    OPEN,
    TRAINING_DENIED,
    URL,
    USES,
    contents,
    document,
    every,
    licence,
    permits,
    prohibits,
    read,
)

from checker.signals.rsl import read_document

# --- what a licence says -----------------------------------------------------------------------------------------


def test_a_prohibited_usage_is_refused_and_nothing_else_is_said_3_6() -> None:
    assert read(document(licence(prohibits("ai-train")))) == (TRAINING_DENIED, False)


def test_permits_is_a_closed_list_3_5() -> None:
    assert read(document(licence(permits("search")))) == (every("deny") | {"search": "allow"}, False)


@pytest.mark.parametrize(
    ("token", "permitted"),
    [
        ("all", USES),
        ("ai-all", ("train-ai", "train-genai", "index")),
        ("ai-train", ("train-ai", "train-genai")),
        ("ai-index", ("index",)),
        ("search", ("search",)),
        ("ai-input", ()),
        ("search ai-index", ("search", "index")),
        (" search\n\tai-input ", ("search",)),
    ],
)
def test_tokens_of_the_usage_vocabulary_3_4_1_1(token: str, permitted: tuple[str, ...]) -> None:
    assert read(document(licence(permits(token)))) == (every("deny") | dict.fromkeys(permitted, "allow"), False)
    refused = read(document(licence(prohibits(token))))
    assert refused == (dict.fromkeys(permitted, "deny"), False)


def test_what_is_permitted_and_prohibited_is_not_licensed_3_1_1() -> None:
    # The form of a newspaper's licence of 2026: "all" prohibited beside a permission.
    assert read(document(licence(permits("search ai-train"), prohibits("all")))) == (every("deny"), False)
    both = read(document(licence(permits("search ai-train"), prohibits("ai-train"))))
    assert both == (every("deny") | {"search": "allow"}, False)


def test_a_larger_use_is_not_allowed_where_a_part_of_it_is_refused_our_choice() -> None:
    uses, _ = read(document(licence(permits("all"), prohibits("ai-train"))))
    assert uses == TRAINING_DENIED | {"search": "allow", "index": "allow"}


@pytest.mark.parametrize(
    ("payment", "stance"),
    [
        ("", "allow"),  # "If omitted, the license is assumed to be free."
        ('<payment type="free"/>', "allow"),
        ("<payment/>", "allow"),
        ('<payment type="free"><amount currency="USD">0.00</amount></payment>', "allow"),
        ('<payment type="free"><amount currency="USD">0.01</amount></payment>', "conditional"),
        ('<payment type="free"><standard>https://a.example/terms</standard></payment>', "conditional"),
        ("<payment><custom>https://a.example/ask</custom></payment>", "conditional"),
        ('<payment><accepts type="application/x402+json"/></payment>', "conditional"),
        ('<payment><amount currency="USD">1</amount></payment>', "conditional"),
        *(
            (f'<payment type="{kind}"/>', "conditional")
            for kind in ("purchase", "subscription", "training", "crawl", "use", "contribution", "attribution")
        ),
        ('<payment xmlns:x="urn:x" type="x:barter"/>', "conditional"),
    ],
)
def test_a_permission_that_asks_for_a_payment_is_conditional_3_7(payment: str, stance: str) -> None:
    expected = every("deny") | {"train-ai": stance, "train-genai": stance}
    assert read(document(licence(permits("ai-train"), payment))) == (expected, False)


@pytest.mark.parametrize(
    "term",
    [
        permits("education non-commercial", "user"),
        prohibits("commercial", "user"),
        permits("US EU", "geo"),
        prohibits("DE", "geo"),
        '<reporting type="telemetry" profile="https://a.example/profile"/>',
    ],
)
def test_users_places_and_reports_are_conditions_3_5_3_12(term: str) -> None:
    assert read(document(licence(permits("search"), term))) == (every("deny") | {"search": "conditional"}, False)
    assert read(document(licence(prohibits("ai-train"), term))) == (every("conditional") | TRAINING_DENIED, False)


def test_without_a_list_of_permits_a_free_licence_leaves_open_what_it_does_not_prohibit() -> None:
    assert read(document(licence())) == (NOTHING, False)
    assert read(document(licence('<payment type="free"/>'))) == (NOTHING, False)
    paid = licence(prohibits("ai-train"), '<payment type="subscription"/>')
    assert read(document(paid)) == (every("conditional") | TRAINING_DENIED, False)


@pytest.mark.parametrize(
    ("attributes", "stance"),
    [
        (' server="https://licences.example"', "conditional"),
        (' server="https://licences.example" encrypted="true"', "conditional"),
        (' encrypted="false" lastmod="2026-01-01T00:00:00Z"', "allow"),
    ],
)
def test_a_licence_server_needs_a_token_even_where_it_is_free_3_3(attributes: str, stance: str) -> None:
    offered = document(licence(permits("search"), '<payment type="free"/>'), more=attributes)
    assert read(offered) == (every("deny") | {"search": stance}, False)


def test_legal_statements_and_metadata_change_nothing_3_13_to_3_17() -> None:
    legal = '<legal type="warranty">ownership</legal><legal type="contact">mailto:a@a.example</legal>'
    metadata = (
        "<terms>https://a.example/terms</terms><copyright>A</copyright><schema>/s</schema><alternate>/b</alternate>"
    )
    assert read(document(licence(prohibits("ai-train"), legal), metadata)) == (TRAINING_DENIED, False)


# --- several licences --------------------------------------------------------------------------------------------


def test_several_licences_are_alternative_offers_of_which_the_best_counts_3_4() -> None:
    free, paid = licence(permits("search")), licence(permits("search ai-train"), '<payment type="training"/>')
    expected = every("deny") | {"search": "allow", "train-ai": "conditional", "train-genai": "conditional"}
    assert read(document(free, paid)) == read(document(paid, free)) == (expected, False)


def test_what_one_licence_prohibits_stays_refused_by_all_of_them_3_1_1() -> None:
    # Two licences as a large publishing site has them: attribution for some uses, training behind a form.
    some = licence(permits("ai-input ai-index search"), '<payment type="attribution"/>')
    none = licence(prohibits("ai-train"), '<payment type="subscription"/>')
    assert read(document(some, none)) == (every("conditional") | TRAINING_DENIED, False)
    assert read(document(licence(permits("ai-train")), licence(prohibits("ai-train"))))[0]["train-ai"] == "deny"


def test_a_silent_licence_is_no_offer_our_choice() -> None:
    assert read(document(licence(), licence(permits("search")))) == (every("deny") | {"search": "allow"}, False)


def test_equally_specific_contents_are_taken_together_3_1_1() -> None:
    search = licence(permits("search"))
    served = f'<content url="/" server="https://l.example">{licence(permits("ai-index"))}</content>'
    together = f'{OPEN}<content url="/">{search}</content>{served}</rsl>'
    assert read(together) == (every("deny") | {"search": "allow", "index": "conditional"}, False)


# --- which content -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("/", True),
        ("/art/", True),
        ("/art/*.jpg$", True),
        ("*", True),
        ("*.jpg", True),
        ("/%61rt/", True),
        ("", True),
        ("/ART/", False),
        ("/blog/", False),
        ("/art/*.png", False),
        ("https://img.example/", True),
        ("https://img.example", True),
        ("HTTPS://IMG.Example:443/art/*", True),
        ("http://img.example/art/", True),
        ("https://img.example/blog/", False),
        ("https://other.example/art/", False),
        ("https://img.example:8443/", False),
        ("https://example/", False),
    ],
)
def test_a_content_is_about_paths_and_addresses_of_the_same_host_3_3(pattern: str, matches: bool) -> None:
    expected = TRAINING_DENIED if matches else NOTHING
    assert read(document(licence(prohibits("ai-train")), url=pattern)) == (expected, False)


def test_the_most_specific_content_decides_whatever_the_order_3_1_1() -> None:
    free, refused = licence(permits("search")), licence(prohibits("search"))
    for body in (contents(site=refused, jpg=free), contents(jpg=free, site=refused)):
        assert read(body) == (every("deny") | {"search": "allow"}, False)
    for body in (contents(site=free, art=refused), contents(art=refused, site=free)):
        assert read(body)[0]["search"] == "deny"
    assert read(contents(site=free, other=refused))[0]["search"] == "allow"


def test_an_address_counts_by_its_path_beside_patterns_our_choice() -> None:
    inside = f'<content url="https://img.example/art/">{licence(prohibits("search"))}</content>'
    body = f'{OPEN}<content url="/ar">{licence(permits("search"))}</content>{inside}</rsl>'
    assert read(body)[0]["search"] == "deny"


def test_a_use_that_the_specific_content_leaves_open_stays_refused_by_the_broader_one_3_1_1() -> None:
    broad, narrow = licence(prohibits("ai-train search")), licence(prohibits("ai-index"))
    expected = TRAINING_DENIED | {"search": "deny", "index": "deny"}
    assert read(contents(site=broad, art=narrow)) == (expected, False)
    findings = read_document(contents(site=broad, art=narrow).encode(), URL, place="licence")
    assert [(f.place, f.scope) for f in findings] == [("licence, content 2", "/art/"), ("licence, content 1", "/")]


def test_a_permission_of_a_broader_content_does_not_reach_into_a_specific_one_our_choice() -> None:
    # 3.1.2 reads this document as "everything else is permitted"; nothing is lost by leaving it open.
    body = contents(site=licence(permits("all")), art=licence(prohibits("ai-train")))
    assert read(body) == (TRAINING_DENIED, False)
    assert read(body, "https://img.example/blog/") == (every("allow"), False)


def test_a_document_about_other_addresses_says_nothing() -> None:
    findings = read_document(document(licence(prohibits("all")), url="/blog/").encode(), URL, place="licence")
    assert [(f.place, dict(f.uses), f.malformed) for f in findings] == [("licence", {}, False)]


# --- evidence -------------------------------------------------------------------------------------------------------


def test_the_finding_shows_the_content_that_decided() -> None:
    body = f"{OPEN}<!-- ours -->\n<content url='/art/'>\n  {licence(prohibits('ai-train'))}\n</content></rsl>"
    (finding,) = read_document(body.encode(), URL, place="robots.txt line 3")
    assert finding.place == "robots.txt line 3, content 1"
    assert finding.scope == "/art/"
    assert finding.raw == ("<content url='/art/'> <license><prohibits type=\"usage\">ai-train</prohibits></license>")


# --- a second reading -----------------------------------------------------------------------------------------------


NAMED = {
    "all": set(USES),
    "ai-all": {"train-ai", "train-genai", "index"},
    "ai-train": {"train-ai", "train-genai"},
    "ai-index": {"index"},
    "ai-input": set(),
    "search": {"search"},
}
TOKENS = st.lists(st.sampled_from(sorted(NAMED)), min_size=1, max_size=3)
OFFERS = st.lists(st.tuples(st.none() | TOKENS, st.none() | TOKENS, st.booleans()), min_size=1, max_size=3)


@settings(max_examples=300, deadline=None)
@given(OFFERS)
def test_a_plain_second_reading_agrees_on_valid_documents(
    offers: list[tuple[list[str] | None, list[str] | None, bool]],
) -> None:
    expected: dict[str, str] = {}
    for use in USES:
        stances = []
        for permitted, _, paid in offers:
            if permitted is not None and not any(use in NAMED[token] for token in permitted):
                stances.append("deny")
            elif paid:
                stances.append("conditional")
            elif permitted is not None:
                stances.append("allow")
        if any(use in NAMED[token] for _, prohibited, _ in offers for token in prohibited or ()):
            expected[use] = "deny"
        elif stances:
            expected[use] = min(stances)  # "allow", "conditional", "deny" stand in the order of the alphabet
    parts = {"all": USES, "tdm": ("train-ai", "train-genai"), "train-ai": ("train-genai",)}
    for use, contained in parts.items():
        blocked = [part for part in contained if expected.get(part) in ("deny", "conditional")]
        if expected.get(use) == "allow" and blocked:
            del expected[use]
    written = [
        licence(
            permits(" ".join(permitted)) if permitted is not None else "",
            prohibits(" ".join(prohibited)) if prohibited is not None else "",
            '<payment type="use"/>' if paid else "",
        )
        for permitted, prohibited, paid in offers
    ]
    assert read(document(*written)) == (expected, False)


@settings(max_examples=150, deadline=None)
@given(OFFERS, st.sampled_from(sorted(NAMED)))
def test_one_more_prohibition_refuses_what_it_names_and_allows_nothing(
    offers: list[tuple[list[str] | None, list[str] | None, bool]], token: str
) -> None:
    written = [
        licence(permits(" ".join(p)) if p else "", '<payment type="use"/>' if paid else "") for p, _, paid in offers
    ]
    before, _ = read(document(*written))
    after, _ = read(document(*written, licence(prohibits(token))))
    assert all(after[use] == "deny" for use in NAMED[token])
    assert all(before.get(use) == "allow" for use, stance in after.items() if stance == "allow")
