"""Every clause of RFC 9309, of the AIPREF drafts and of TDMRep that speaks to a reader, and the test that shows it.

The table comes first; below stand the tests that had no other place. Clauses that speak to publishers, registries or
other formats than ours are not listed.
"""

from __future__ import annotations

import ast
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from checker.model import Finding, Stance, Use
from checker.signals.preferences import read_content_usage
from checker.signals.read import Evidence, RobotsFetch, read_findings, read_signals
from checker.signals.robots import parse_robots, read_access
from checker.signals.verdict import combine

TESTS = Path(__file__).parents[1]
ROBOTS = "signals/test_signals_robots.py"
PREFERENCES = "signals/test_signals_preferences.py"
HEADERS = "signals/test_signals_headers.py"
TDMREP = "signals/test_signals_tdmrep.py"
HERE = "signals/test_signals_clauses.py"
VISITS = "crawler/test_crawler_run.py"

CLAUSES = {
    "RFC 9309 2.1 groups and rules": (ROBOTS, "test_rfc9309_5_1_simple_example"),
    "RFC 9309 2.2 rules before the first group": (ROBOTS, "test_rfc9309_2_2_rules_before_the_first_group_are_ignored"),
    "RFC 9309 2.2 line ends": (ROBOTS, "test_every_line_end_counts_one_line"),
    "RFC 9309 2.2 names, blanks, comments": (HERE, "test_rfc9309_2_2_names_in_any_case_blanks_and_comments"),
    "RFC 9309 2.2 empty patterns": (HERE, "test_rfc9309_2_2_an_empty_pattern_is_no_rule"),
    "RFC 9309 2.2.1 the token, in any case": (HERE, "test_rfc9309_2_2_1_the_token_is_compared_in_any_case"),
    "RFC 9309 2.2.1 which values name us": (ROBOTS, "test_which_user_agent_values_name_us_our_choice"),
    "RFC 9309 2.2.1 combining": (ROBOTS, "test_rfc9309_2_2_1_groups_for_one_token_are_combined"),
    "RFC 9309 2.2.1 the group of all": (ROBOTS, "test_rfc9309_2_2_1_the_star_group_is_used_only_without_an_own_group"),
    "RFC 9309 2.2.1 no group": (ROBOTS, "test_rfc9309_2_2_1_no_group_at_all_means_no_rules"),
    "RFC 9309 2.2.2 case": (HERE, "test_rfc9309_2_2_2_paths_are_compared_in_their_case_from_the_first_octet"),
    "RFC 9309 2.2.2 most octets": (ROBOTS, "test_rfc9309_5_2_longest_match_example"),
    "RFC 9309 2.2.2 equal rules": (HERE, "test_rfc9309_2_2_2_between_equals_the_permission_wins"),
    "RFC 9309 2.2.2 no match, robots.txt": (
        ROBOTS, "test_rfc9309_2_2_2_no_match_means_allowed_and_robots_txt_always_is",
    ),
    "RFC 9309 2.2.2 percent-encoding": (ROBOTS, "test_rfc9309_2_2_2_and_2_2_3_patterns_that_match"),
    "RFC 9309 2.2.3 special characters": (ROBOTS, "test_patterns_that_do_not_match"),
    "RFC 9309 2.2.4 other records": (ROBOTS, "test_a_user_agent_list_goes_on_over_blank_lines_and_other_records"),
    "RFC 9309 2.2.4 sitemaps": (ROBOTS, "test_sitemaps_are_found_inside_and_outside_of_groups"),
    "RFC 9309 2.3 each authority its own file": (VISITS, "test_pictures_on_another_host_obey_that_hosts_robots_txt"),
    "RFC 9309 2.3.1.1 to 2.3.1.4 outcomes": (ROBOTS, "test_rfc9309_2_3_1_outcomes_of_fetching"),
    "RFC 9309 2.3.1.2 redirects": (VISITS, "test_five_redirects_are_followed_and_no_more"),
    "RFC 9309 2.3.1.4 unreachable": (
        VISITS, "test_an_unreachable_robots_txt_closes_the_host_and_is_asked_for_three_times",
    ),
    "RFC 9309 2.3.1.5 parsing errors": (HERE, "test_rfc9309_2_3_1_5_what_can_be_read_counts_among_what_cannot"),
    "RFC 9309 2.5 limits": (ROBOTS, "test_only_the_first_512000_bytes_count_and_a_cut_line_does_not"),
    "attach-05 2 the header is a dictionary": (
        HEADERS, "test_content_usage_lines_are_joined_and_the_last_value_of_a_label_counts",
    ),
    "attach-05 2 it speaks of the message": (HEADERS, "test_permissions_on_an_error_page_do_not_count_and_refusals_do"),
    "attach-05 3 a rule of a group": (PREFERENCES, "test_a_content_usage_line_ends_the_list_of_user_agents"),
    "attach-05 3 outside of groups": (PREFERENCES, "test_a_content_usage_rule_outside_of_groups_is_ignored"),
    "attach-05 3.1 longest path": (
        PREFERENCES, "test_the_longest_content_usage_path_replaces_shorter_ones_even_where_it_permits",
    ),
    "attach-05 3.1 identical paths": (HERE, "test_attach_3_1_identical_paths_apply_separately"),
    "attach-05 3.1 only what may be crawled": (
        HERE, "test_attach_3_1_a_path_that_may_not_be_crawled_has_no_preference",
    ),
    "attach-05 3.1 percent-encoding": (HERE, "test_attach_3_1_blanks_in_a_path_are_percent_encoded"),
    "attach-05 3.1 no order": (HERE, "test_attach_3_1_the_order_of_rules_says_nothing"),
    "attach-05 3.2 label and blanks": (HERE, "test_attach_3_2_blanks_around_the_label_and_the_colon_are_ignored"),
    "attach-05 3.2 path and value": (PREFERENCES, "test_a_comment_ends_a_content_usage_value_and_tabs_part_the_path"),
    "attach-05 3.2 no path": (PREFERENCES, "test_a_rule_without_path_and_one_for_the_root_are_one_path"),
    "attach-05 3.2 bytes": (HERE, "test_attach_3_2_a_value_outside_of_ascii_is_not_read"),
    "attach-05 3.3 the file of that fetch": (HERE, "test_attach_3_3_preferences_come_from_the_file_that_was_given"),
    "attach-05 3.4 example": (HERE, "test_attach_3_4_the_example"),
    "vocab-07 3 a statement about some categories": (HERE, "test_vocab_3_a_category_that_is_not_named_is_unknown"),
    "vocab-07 4.1, 4.2, 6.1 labels": (PREFERENCES, "test_content_usage_values"),
    "vocab-07 5.1 combining": (HERE, "test_vocab_5_1_a_refusal_wins_then_a_permission"),
    "vocab-07 6.1 labels are case sensitive": (
        PREFERENCES, "test_a_dictionary_that_does_not_parse_says_nothing_and_doubts_everything",
    ),
    "vocab-07 6.2 y and n": (PREFERENCES, "test_a_value_that_is_neither_token_is_doubted_alone"),
    "vocab-07 6.4 unknown labels and parameters": (HERE, "test_vocab_6_4_unknown_labels_and_parameters_are_ignored"),
    "vocab-07 6.5.1 repeated keys": (HERE, "test_vocab_6_5_1_a_repeated_key_leaves_its_last_value"),
    "vocab-07 6.5.2 parameters": (HERE, "test_vocab_6_5_2_parameters_of_the_value_that_counts_say_nothing"),
    "TDMRep tdm-reservation": (TDMREP, "test_which_values_of_a_rule_are_read_our_choice"),
    "TDMRep tdm-policy": (HERE, "test_tdmrep_a_policy_beside_0_is_no_error_and_not_processed"),
    "TDMRep file: failure to provide it": (TDMREP, "test_no_file_means_that_the_host_does_not_use_the_protocol"),
    "TDMRep file: an array of rules": (
        TDMREP, "test_a_file_that_is_no_list_of_rules_is_unusable_and_leaves_doubt",
    ),
    "TDMRep file: mandatory members": (
        TDMREP, "test_a_rule_that_lacks_a_member_is_skipped_and_leaves_permissions_in_doubt",
    ),
    "TDMRep file: first in sequence, no match": (TDMREP, "test_the_first_matching_rule_of_the_file_decides"),
    "TDMRep file: special characters": (HERE, "test_tdmrep_special_characters_of_a_location"),
    "TDMRep file: example": (HERE, "test_tdmrep_the_example_of_three_groups"),
    "TDMRep header": (HERE, "test_tdmrep_the_examples_of_the_header"),
    "TDMRep HTML": (HERE, "test_tdmrep_the_example_of_the_page"),
    "TDMRep HTML reaches the page alone": (
        "signals/test_signals_html.py", "test_a_pages_tdmrep_tag_is_evidence_for_its_pictures_and_no_more",
    ),
    "TDMRep priority": (TDMREP, "test_a_later_place_supersedes_an_earlier_one_and_resets_nothing"),
}  # fmt: skip
"""Not shown by a test of a reader: RFC 9309 2.4 (caching, which is the crawler's); vocab-07 4.3, 5.2, 6.3 and 6.6 (for
authors and later documents); TDMRep EPUB and PDF (other formats than pictures)."""

URL = "https://img.example/art/a.jpg"
NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize("clause", CLAUSES)
def test_the_test_of_a_clause_exists(clause: str) -> None:
    file, name = CLAUSES[clause]
    tree = ast.parse((TESTS / file).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def may_fetch(body: str, path: str, agent: str = "ExampleBot") -> bool:
    return read_access(parse_robots(body.encode()), "https://img.example" + path, agent=agent).crawl is Stance.ALLOW


def robots_says(body: str, path: str = "/art/a.jpg", *, agent: str = "OtherBot") -> dict[str, str]:
    """Access and uses, before doubt."""
    evidence = Evidence("https://img.example" + path, robots=RobotsFetch(200, body.encode()))
    verdict = combine(read_findings(evidence, agent=agent, now=NOW))
    said = {use.value: stance.value for use, stance in verdict.uses.items() if stance is not Stance.UNSPECIFIED}
    return {"crawl": verdict.crawl.value, **said}


TRAIN_N = {"train-ai": "deny", "train-genai": "deny"}
TRAIN_Y = {"train-ai": "allow", "train-genai": "allow"}


def test_rfc9309_2_2_names_in_any_case_blanks_and_comments() -> None:
    body = "# all\n  USER-agent\t:  *   # everyone\n\tDISallow \t: /art/# pictures\n"
    assert not may_fetch(body, "/art/a")
    assert may_fetch("User-agent: *\n# Disallow: /\n", "/art/a")


def test_rfc9309_2_2_an_empty_pattern_is_no_rule() -> None:
    assert may_fetch("User-agent: *\nDisallow:\n", "/a")
    assert not may_fetch("User-agent: *\nAllow:\nDisallow: /\n", "/a")


def test_rfc9309_2_2_1_the_token_is_compared_in_any_case() -> None:
    for written in ("ExampleBot", "examplebot", "EXAMPLEBOT"):
        assert not may_fetch(f"User-agent: {written}\nDisallow: /\n", "/a", "eXampleBot")


def test_rfc9309_2_2_2_paths_are_compared_in_their_case_from_the_first_octet() -> None:
    assert not may_fetch("User-agent: *\nDisallow: /art\n", "/arts")
    assert may_fetch("User-agent: *\nDisallow: /art\n", "/Art")
    assert may_fetch("User-agent: *\nDisallow: /art\n", "/x/art")


@pytest.mark.parametrize("rules", ["Allow: /art\nDisallow: /art\n", "Disallow: /art\nAllow: /art\n"])
def test_rfc9309_2_2_2_between_equals_the_permission_wins(rules: str) -> None:
    assert may_fetch(f"User-agent: *\n{rules}", "/art/a")
    assert not may_fetch(f"User-agent: *\n{rules}Disallow: /art/\n", "/art/a")


def test_rfc9309_2_3_1_5_what_can_be_read_counts_among_what_cannot() -> None:
    assert not may_fetch("<html>\nUser-agent: *\n\x00\x01 ???\nDisallow: /\n: :\n</html>\n", "/a")


def test_attach_3_1_identical_paths_apply_separately() -> None:
    rules = ("/art/ train-ai=y", "/art/ search=n", "/art/ train-ai=n")
    body = "User-agent: *\n" + "".join(f"Content-Usage: {rule}\n" for rule in rules)
    assert robots_says(body) == {"crawl": "allow", **TRAIN_N, "search": "deny"}


def test_attach_3_1_a_path_that_may_not_be_crawled_has_no_preference() -> None:
    body = "User-agent: *\nDisallow: /art/\nContent-Usage: train-ai=n\n"
    assert robots_says(body) == {"crawl": "deny"}
    assert robots_says(body, "/b.jpg") == {"crawl": "allow", **TRAIN_N}


def test_attach_3_1_blanks_in_a_path_are_percent_encoded() -> None:
    body = "User-agent: *\nContent-Usage: /my%20art%09/ train-ai=n\n"
    assert robots_says(body, "/my%20art%09/a.jpg") == {"crawl": "allow", **TRAIN_N}
    assert robots_says(body, "/my/a.jpg") == {"crawl": "allow"}


def test_attach_3_1_the_order_of_rules_says_nothing() -> None:
    rules = ["Allow: /", "Content-Usage: /art/ train-ai=y", "Disallow: /b", "Content-Usage: train-ai=n"]
    for order in (rules, rules[::-1], rules[2:] + rules[:2]):
        assert robots_says("\n".join(["User-agent: *", *order, ""])) == {"crawl": "allow", **TRAIN_Y}


def test_attach_3_2_blanks_around_the_label_and_the_colon_are_ignored() -> None:
    assert robots_says("User-agent: *\n \tcontent-USAGE \t:\t train-ai=n\n") == {"crawl": "allow", **TRAIN_N}


def test_attach_3_2_a_value_outside_of_ascii_is_not_read() -> None:
    assert read_content_usage("train-ai=n, café=y").malformed
    assert robots_says("User-agent: *\nContent-Usage: train-ai=y, café=y\n") == {"crawl": "allow"}


def test_attach_3_3_preferences_come_from_the_file_that_was_given() -> None:
    before, after = "User-agent: *\nContent-Usage: train-ai=y\n", "User-agent: *\nContent-Usage: train-ai=n\n"
    assert [robots_says(body)["train-ai"] for body in (before, after, before)] == ["allow", "deny", "allow"]


def test_attach_3_4_the_example() -> None:
    body = (
        "User-Agent: *\nAllow: /\nDisallow: /never/\nContent-Usage: train-ai=n\nContent-Usage: /ai-ok/ train-ai=y\n\n"
        "User-Agent: ExampleBot\nAllow: /\nContent-Usage: train-ai=y\n"
    )
    assert robots_says(body, "/test") == {"crawl": "allow", **TRAIN_N}
    assert robots_says(body, "/never/test") == {"crawl": "deny"}
    assert robots_says(body, "/ai-ok/test") == {"crawl": "allow", **TRAIN_Y}
    assert robots_says(body, "/never/test", agent="ExampleBot") == {"crawl": "allow", **TRAIN_Y}


def test_vocab_3_a_category_that_is_not_named_is_unknown() -> None:
    assert Use.TRAIN_AI not in read_content_usage("search=n").uses
    assert Use.SEARCH not in read_content_usage("train-ai=n").uses
    assert read_content_usage("").uses == {}


def test_vocab_5_1_a_refusal_wins_then_a_permission() -> None:
    def search(*values: str) -> str:
        robots = "User-agent: *\n" + "".join(f"Content-Usage: {value}\n" for value in values)
        return robots_says(robots).get("search", "unspecified")

    assert search("search=y", "search=n") == "deny"
    assert search("search=y", "train-ai=n") == "allow"
    assert search("train-ai=n") == "unspecified"


def test_vocab_6_4_unknown_labels_and_parameters_are_ignored() -> None:
    statement = read_content_usage('search=n;until=2030;why="x", new.label*=y, other=(a b);q')
    assert (dict(statement.uses), statement.malformed) == ({Use.SEARCH: Stance.DENY}, False)


def test_vocab_6_5_1_a_repeated_key_leaves_its_last_value() -> None:
    statement = read_content_usage('train-ai=y, train-ai, search=n, search="n"')
    assert statement.uses == {}
    assert statement.doubted == {Use.TRAIN_AI, Use.TRAIN_GENAI, Use.SEARCH}
    assert read_content_usage("search=n, search=y").uses == {Use.SEARCH: Stance.ALLOW}


def test_vocab_6_5_2_parameters_of_the_value_that_counts_say_nothing() -> None:
    assert read_content_usage("train-ai;allow=n, train-ai=y").uses[Use.TRAIN_AI] is Stance.ALLOW
    assert Use.TRAIN_AI not in read_content_usage('train-ai;has;parameters="?"').uses


def tdm_of(**evidence: object) -> str:
    asked = Evidence(**{"url": URL, **evidence})  # type: ignore[arg-type]
    return read_signals(asked, agent="X", now=NOW).uses[Use.TDM].value


def tdm_file(rules: object, url: str) -> str:
    return tdm_of(url=url, tdmrep=RobotsFetch(200, json.dumps(rules).encode()))


def test_tdmrep_a_policy_beside_0_is_no_error_and_not_processed() -> None:
    rule = {"location": "/", "tdm-reservation": 0, "tdm-policy": "https://img.example/p.json"}
    findings: tuple[Finding, ...] = read_findings(
        Evidence(URL, tdmrep=RobotsFetch(200, json.dumps([rule]).encode())), agent="X", now=NOW
    )
    assert [(f.uses[Use.TDM], f.malformed) for f in findings] == [(Stance.ALLOW, False)]


@pytest.mark.parametrize(
    ("location", "path", "stance"),
    [
        ("/this/path/exactly$", "/this/path/exactly", "deny"),
        ("/this/path/exactly$", "/this/path/exactly/not", "unspecified"),
        ("/this/*/then", "/this/or/that/then", "deny"),
        ("/path/foo-%24", "/path/foo-$", "deny"),
        ("/caf%C3%A9/", "/caf%c3%a9/a.jpg", "deny"),
        ("/a%2Fb", "/a/b", "unspecified"),
    ],
)
def test_tdmrep_special_characters_of_a_location(location: str, path: str, stance: str) -> None:
    assert tdm_file([{"location": location, "tdm-reservation": 1}], f"https://provider.example{path}") == stance


@pytest.mark.parametrize(
    ("path", "stance"),
    [
        ("/directory-a/x.pdf", "deny"),
        ("/directory-b/html/x.html", "conditional"),
        ("/directory-b/images/x.jpg", "allow"),
        ("/directory-b/images/x.png", "unspecified"),
    ],
)
def test_tdmrep_the_example_of_three_groups(path: str, stance: str) -> None:
    rules = [
        {"location": "/directory-a/", "tdm-reservation": 1},
        {"location": "/directory-b/html/", "tdm-reservation": 1, "tdm-policy": "https://provider.example/p.json"},
        {"location": "/directory-b/images/*.jpg", "tdm-reservation": 0},
    ]
    assert tdm_file(rules, f"https://provider.example{path}") == stance


def test_tdmrep_the_examples_of_the_header() -> None:
    policy = ("tdm-policy", "https://provider.example/policies/policy.json")
    assert tdm_of(headers=(("tdm-reservation", "1"),)) == "deny"
    assert tdm_of(headers=(("tdm-reservation", "1"), policy)) == "conditional"


def test_tdmrep_the_example_of_the_page() -> None:
    page = (
        b'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="tdm-reservation" content="1">'
        b'<meta name="tdm-policy" content="https://provider.example/p.json"><title>T</title></head><body></body></html>'
    )
    assert tdm_of(html=page, html_is_target=True) == "conditional"
    assert tdm_of(html=page, html_is_target=False) == "unspecified"
