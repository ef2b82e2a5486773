"""Languages: each page in each of them, chosen by its address; a catalogue with a hole fails here."""

from __future__ import annotations

import json
import re
import string
from pathlib import Path

import pytest
from api_service import TestClient

from api.words import DEFAULT_LANGUAGE, LANGUAGES, catalogue

pytest_plugins = ("api_service",)
CATALOGUES = Path(__file__).resolve().parents[2] / "api" / "catalogue"
PAGES = (
    "/",
    "/receipts",
    "/operators",
    "/sources",
    "/transparency",
    "/privacy",
    "/about",
    "/docs",
    "/problems/too-plain",
    "/nowhere",
)
OTHERS = [language for language in LANGUAGES if language != DEFAULT_LANGUAGE]


def _texts(language: str) -> dict[str, str]:
    pairs = json.loads((CATALOGUES / f"{language}.json").read_text(encoding="utf-8"), object_pairs_hook=list)
    assert len(dict(pairs)) == len(pairs), "a key stands twice"
    return dict(pairs)


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_stands_in_every_language_with_the_same_values(language: str) -> None:
    english, other = _texts(DEFAULT_LANGUAGE), _texts(language)
    assert list(other) == list(english), "the same keys in the same order"
    for key, text in english.items():
        assert other[key].strip(), key
        assert _fields(other[key]) <= _fields(text), key
        # In the counted form for one, the number may be a word.
        assert _fields(other[key]) == _fields(text) or key.endswith(".one"), key


@pytest.mark.parametrize("language", OTHERS)
def test_texts_are_translated(language: str) -> None:
    """Names, commands and what both languages write alike stay; sentences do not."""
    english, other = _texts(DEFAULT_LANGUAGE), _texts(language)
    same = {key for key, text in english.items() if other[key] == text and len(re.findall(r"\b[a-z]{2,}", text)) > 3}
    assert not {key for key in same if not key.endswith("-command")}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_leads_to_itself_in_the_other_language_and_otherwise_stays_in_its_own(
    service: TestClient, path: str
) -> None:
    for language in OTHERS:
        page = service.get(f"/{language}{path}", headers={"Accept": "text/html"})
        assert f'<html lang="{language}"' in page.text
        assert page.headers["content-language"] == language
        links = re.findall(r'href="(/[^"?#]*)', page.text)
        foreign = {link for link in links if not link.startswith((f"/{language}/", "/static/", "/openapi.json"))}
        assert foreign == {path if page.status_code == 200 else "/"}


def test_the_language_alone_leads_to_its_first_page(service: TestClient) -> None:
    answer = service.get("/de", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (308, "/de/")


@pytest.mark.parametrize("path", ["/de//elsewhere.example/", "//elsewhere.example/", "/de/%5Celsewhere.example/"])
def test_no_address_makes_a_page_lead_elsewhere(service: TestClient, path: str) -> None:
    page = service.get(f"http://127.0.0.1{path}", headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert not re.findall(r'href="[/\\]{2}', page.text)


@pytest.mark.parametrize(
    ("wishes", "language"),
    [
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("fr-FR,fr;q=0.9,de;q=0.5", "de"),
        ("en-GB,de", "en"),
        ("fr", "en"),
        ("", "en"),
        (";;,,=\x7f", "en"),
    ],
)
def test_errors_speak_the_language_that_the_asker_names(service: TestClient, wishes: str, language: str) -> None:
    problem = _wrong(service, wishes)
    assert problem["title"] == catalogue(language).say("problem.not-a-code.title")


def _wrong(service: TestClient, wishes: str) -> dict[str, str]:
    codes = {"codes": {"phash256": {"version": "1", "hex": "0" * 64}}}
    answer: dict[str, str] = service.post("/v1/lookups", json=codes, headers={"Accept-Language": wishes}).json()
    return answer
