"""The receipt sheet in each language: the same catalogue, the same facts, one page of A4."""

from __future__ import annotations

import json
import re
import string
from pathlib import Path

import pytest
from test_receipt_page import SERVER, example, shown

from api.words import LANGUAGES
from checker.optout.paper_page import receipt_page
from checker.optout.sheet import sheet_words

CATALOGUES = Path(__file__).resolve().parents[2] / "checker" / "optout" / "catalogue"


def texts(language: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((CATALOGUES / f"receipt.{language}.json").read_text(encoding="utf-8"))
    return found


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_every_language_of_the_pages_has_every_text_with_the_same_values(language: str) -> None:
    english, other = texts("en"), texts(language)
    assert list(other) == list(english)
    for key, text in english.items():
        assert fields(other[key]) == fields(text), key


def test_german_facts_are_written_as_germans_write_them() -> None:
    page = receipt_page(example(), status_address="https://photos.example/de/receipts", language="de")
    assert '<html lang="de">' in page
    text = shown(page)
    assert "Nummer 4F7K-20M9" in text
    assert "spätestens am 22. November 2026, 14:09 UTC" in text
    assert "https://photos.example/de/receipts" in text
    assert "hibs opt-out withdraw 4F7K-20M9.withdraw.txt --server https://photos.example" in text
    assert sheet_words("receipt", "de").number(18204) == "18.204"


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_it_says_what_it_does_not_do_and_holds_no_english_where_it_is_not(language: str) -> None:
    text = shown(receipt_page(example(), status_address=SERVER, language=language))
    assert texts(language)["not.done"] in text
    english = {value for key, value in texts("en").items() if len(re.findall(r"\b[a-z]{2,}", value)) > 3}
    assert language == "en" or not {value for value in english if value in text}


def test_a_language_without_a_catalogue_is_english() -> None:
    page = receipt_page(example(), status_address=None, language="fr")
    assert page == receipt_page(example(), status_address=None)
    assert '<html lang="en">' in page


def test_values_are_escaped_and_turn_no_line_round() -> None:
    said = sheet_words("receipt", "en").say("fact.entry-of", index="<b>", origin="a\u202eb")
    assert said == "&lt;b&gt; of the list a\\u202eb"
