"""Content-Usage, Content-Signal and their neighbours in robots.txt."""

from __future__ import annotations

import pytest

from checker.model import Stance, Use
from checker.signals.preferences import read_content_signal, read_content_usage, read_robots_preferences
from checker.signals.robots import parse_robots
from checker.signals.statements import merged

DENY_TRAINING = {"train-ai": "deny", "train-genai": "deny"}
ALLOW_TRAINING = {"train-ai": "allow", "train-genai": "allow"}
DENY_ALL = dict.fromkeys(("train-ai", "train-genai", "tdm", "search", "index", "all"), "deny")


def plain(uses: dict[Use, Stance] | object) -> dict[str, str]:
    return {u.value: s.value for u, s in dict(uses).items() if s is not Stance.UNSPECIFIED}  # type: ignore[call-overload]


def robots_says(body: str, path: str = "/art/a.jpg", *, infer: bool = False) -> tuple[dict[str, str], bool]:
    findings = read_robots_preferences(
        parse_robots(body.encode()), f"https://img.example{path}", agent="ExampleBot", infer_ai_tokens=infer
    )
    return plain(merged(f.uses for f in findings)), any(f.malformed for f in findings)


@pytest.mark.parametrize(
    ("value", "uses"),
    [
        ("", {}),
        ("search=n", {"search": "deny"}),
        ("genai=n", {"train-genai": "deny"}),
        ("ai=n", DENY_TRAINING),
        ("tdm=n", {"tdm": "deny", **DENY_TRAINING}),
        ("all=n", DENY_ALL),
        ("tdm=n, train-ai=y", {"tdm": "deny", "train-ai": "allow", "train-genai": "deny"}),
        ("ai-use=n, inference=n, ai-output=n, foo=n", {}),
        ("train-ai=y, ai=n", DENY_TRAINING),
        ("ai=n, train-ai=y", DENY_TRAINING),
        ("train-ai=y;exceptions=cc-cr", ALLOW_TRAINING),
    ],
)
def test_content_usage_values(value: str, uses: dict[str, str]) -> None:
    statement = read_content_usage(value)
    assert plain(statement.uses) == uses
    assert not statement.malformed


@pytest.mark.parametrize("label", ["ai", "genai", "train-genai", "tdm", "all", "bots"])
def test_labels_of_old_drafts_can_refuse_and_never_permit(label: str) -> None:
    assert plain(read_content_usage(f"{label}=y").uses) == {}
    assert plain(read_content_usage(f"train-ai=n, {label}=y").uses) == DENY_TRAINING
    assert "deny" in plain(read_content_usage(f"{label}=n").uses).values()


@pytest.mark.parametrize("value", ["train-ai=n,", "train-ai=n ;x", "TRAIN-AI=y", "é=n", "a=@999999999999999"])
def test_a_dictionary_that_does_not_parse_says_nothing_and_doubts_everything(value: str) -> None:
    statement = read_content_usage(value)
    assert (plain(statement.uses), statement.malformed, statement.doubted) == ({}, True, frozenset())


@pytest.mark.parametrize(
    "value", ["train-ai", 'train-ai="n"', "train-ai=?0", "train-ai=N", "train-ai=(n)", "train-ai=1"]
)
def test_a_value_that_is_neither_token_is_doubted_alone(value: str) -> None:
    statement = read_content_usage(f"{value}, search=y")
    assert plain(statement.uses) == {"search": "allow"}
    assert statement.doubted == {Use.TRAIN_AI, Use.TRAIN_GENAI}


def test_the_longest_content_usage_path_replaces_shorter_ones_even_where_it_permits() -> None:
    body = "User-agent: *\nContent-Usage: /art/ train-ai=y\nContent-Usage: / train-ai=n, search=n\n"
    assert robots_says(body) == (ALLOW_TRAINING, False)
    assert robots_says(body, "/b") == ({**DENY_TRAINING, "search": "deny"}, False)


def test_a_rule_without_path_and_one_for_the_root_are_one_path() -> None:
    body = "User-agent: *\nContent-Usage: / train-ai=y\nContent-Usage: train-ai=n\n"
    assert robots_says(body) == (DENY_TRAINING, False)


def test_a_content_usage_line_ends_the_list_of_user_agents() -> None:
    body = "User-agent: *\nContent-Usage: train-ai=n\nUser-agent: OtherBot\nAllow: /\n"
    assert robots_says(body) == (DENY_TRAINING, False)


def test_a_content_usage_rule_outside_of_groups_is_ignored() -> None:
    assert robots_says("Content-Usage: train-ai=n\nUser-agent: *\nAllow: /\n") == ({}, False)


def test_a_value_with_neither_path_nor_dictionary_is_malformed_whatever_longer_rule_there_is() -> None:
    assert robots_says("User-agent: *\nContent-Usage: *.jpg train-ai=n\n") == ({}, True)
    both = "User-agent: *\nContent-Usage: *.jpg train-ai=n\nContent-Usage: /art/ train-ai=y\n"
    assert robots_says(both) == (ALLOW_TRAINING, True)


def test_a_path_without_preference_does_not_lift_the_rule_of_the_site() -> None:
    assert robots_says("User-agent: *\nContent-Usage: train-ai=n\nContent-Usage: /art/\n") == ({}, True)


def test_a_comment_ends_a_content_usage_value_and_tabs_part_the_path() -> None:
    assert robots_says("User-agent: *\nContent-Usage:\t/art/\t train-ai=n # please\n") == (DENY_TRAINING, False)


@pytest.mark.parametrize(
    ("value", "uses", "malformed"),
    [
        ("AI-Train = NO , Search = Yes", {**DENY_TRAINING, "search": "allow"}, False),
        ("ai-train=yes", ALLOW_TRAINING, False),
        ("ai-train=yes, ai-train=no", DENY_TRAINING, False),
        ("ai-train=no, ai-train=yes,", DENY_TRAINING, False),
        ("ai-input=no", {}, False),
        ("future-key=7", {}, False),
        ("use=full", {}, False),
        ("use=immediate, ai-train=yes", dict.fromkeys(("tdm", "train-ai", "train-genai"), "conditional"), False),
        ("ai-train=no, use=reference", {"tdm": "conditional", **DENY_TRAINING}, False),
        ("ai-train=maybe", {}, True),
        ("use=some", {}, True),
        ("search=yes; ai-train=no", {}, True),
        ("search=yes ai-train=no", {}, True),
        ("/art/ ai-train=no", {}, True),
        ("noai", {}, True),
    ],
)
def test_content_signal_values(value: str, uses: dict[str, str], malformed: bool) -> None:
    statement = read_content_signal(value)
    assert (plain(statement.uses), statement.malformed) == (uses, malformed)


def test_a_bad_content_signal_item_leaves_the_whole_signal_in_doubt() -> None:
    assert read_content_signal("ai-train=yes, search=maybe").doubted == {
        Use.SEARCH, Use.TDM, Use.TRAIN_AI, Use.TRAIN_GENAI,
    }  # fmt: skip


def test_content_signals_inside_our_group_and_outside_of_all_groups_count() -> None:
    outside = "Content-Signal: ai-train=no\nUser-agent: *\nContent-Signal: ai-train=yes, search=yes\nAllow: /\n"
    assert robots_says(outside) == ({**DENY_TRAINING, "search": "allow"}, False)
    other_group = "User-agent: ExampleBot\nAllow: /\n\nUser-agent: *\nContent-Signal: ai-train=no\nAllow: /\n"
    assert robots_says(other_group) == ({}, False)


def test_a_content_signal_line_does_not_end_the_list_of_user_agents() -> None:
    body = "User-agent: ExampleBot\nContent-Signal: ai-train=no\nUser-agent: OtherBot\nAllow: /\n"
    assert robots_says(body) == (DENY_TRAINING, False)


def test_the_managed_block_of_cloudflare_is_merged_with_the_sites_own_star_group() -> None:
    body = (
        "# Content signals: comments only\nUser-agent: *\nContent-signal: search=yes,ai-train=no\nAllow: /\n\n"
        "User-agent: GPTBot\nDisallow: /\n\n\ufeffUser-agent: *\nDisallow: /admin/\n"
    )
    assert robots_says(body) == ({**DENY_TRAINING, "search": "allow"}, False)


@pytest.mark.parametrize(
    ("lines", "uses", "malformed"),
    [
        ("DisallowAITraining: /\nAllowAITraining: /art/", ALLOW_TRAINING, False),
        ("DisallowAITraining: /art/\nAllowAITraining: /art/", DENY_TRAINING, False),
        ("AllowAITraining: /b/", {}, False),
        ("DisallowAITraining:", {}, False),
        ("DisallowAITraining: yes", {}, True),
        ("AllowAITraining: yes", {}, False),
    ],
)
def test_ai_training_rules_match_like_allow_and_disallow_with_ties_refused(
    lines: str, uses: dict[str, str], malformed: bool
) -> None:
    assert robots_says(f"User-agent: *\n{lines}\n") == (uses, malformed)


@pytest.mark.parametrize(
    ("body", "uses"),
    [
        ("User-agent: gptbot/1.0\nDisallow: /\n", DENY_TRAINING),
        ("User-agent: CCBot\nUser-agent: *\nDisallow: /art/\n", DENY_TRAINING),
        ("User-agent: GPTBot\nDisallow: /art/\nAllow: /art/a.jpg\n", {}),
        ("User-agent: GPTBot\nDisallow: /private/\n", {}),
        ("User-agent: Google\nDisallow: /\n", {}),
        ("User-agent: OAI-SearchBot\nDisallow: /\n", {}),
        ("User-agent: *\nDisallow: /\n", {}),
    ],
)
def test_a_refusal_is_inferred_from_own_groups_of_training_crawlers_only(body: str, uses: dict[str, str]) -> None:
    assert robots_says(body, infer=True) == (uses, False)


def test_an_inferred_refusal_names_the_crawlers_and_is_marked() -> None:
    robots = parse_robots(b"User-agent: GPTBot\nDisallow: /art\n\nUser-agent: Google-Extended\nDisallow: /\n")
    (finding,) = read_robots_preferences(robots, "https://a.example/art", agent="X", infer_ai_tokens=True)
    assert finding.inferred
    assert finding.raw == "Google-Extended: /; GPTBot: /art"
    assert finding.crawl is Stance.UNSPECIFIED


def test_a_tdm_reservation_line_in_robots_txt_is_shown_and_decides_nothing() -> None:
    assert robots_says("User-agent: *\nTDM-Reservation: 1\n") == ({}, False)
