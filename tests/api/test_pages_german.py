"""The words of the German pages: plain and formal, no promise more than in English, and nothing left in English."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from api_service import JPEG, TestClient, visible

from api.answers import said_words
from api.words import catalogue
from checker.model import Stance, Use

pytest_plugins = ("api_service",)
API = Path(__file__).resolve().parents[2] / "api"
GERMAN: dict[str, str] = json.loads((API / "catalogue" / "de.json").read_text(encoding="utf-8"))
FOR_EVERYBODY = ("/", "/opt-out", "/intimate", "/receipts", "/sources", "/transparency", "/privacy", "/about")
PAGES = (*FOR_EVERYBODY, "/operators", "/docs", "/problems/too-plain", "/nowhere")
NEVER = (
    *(r"sicher(e[mnrs]?)?", r"geschützt\w*", r"garantie\w*", r"anonym\w*", r"sauber\w*"),
    *(r"entfernt\w*", r"gelöscht\w*", r"nicht (gescrapt|kopiert|abgegriffen)", r"dsgvo-konform\w*"),
    *(r"(bleibt|bleiben) auf (ihrem|diesem) gerät", r"verlässt (nie|niemals|nicht) ihr gerät"),
    *(
        r"eigentumsnachweis\w*",
        r"beweis\w* (für|von) (eigentum|verletzung)\w*",
        r"gesichtserkennung\w*",
        r"ihr gesicht",
    ),
    *(r"opfern?", r"geleakt\w*", r"bloßgestellt\w*"),
)
"""Words that promise what nobody can keep, or that frighten; with their endings."""
KEPT = {
    # The file with the withdraw code does stay; the sentence goes on with what is sent.
    r"(bleibt|bleiben) auf (ihrem|diesem) gerät": {"receipts.file-hint"},
    # To erase an opt-out is what this service itself does; of copies elsewhere it is never said.
    r"gelöscht\w*": {
        *("receipts.erase-text", "state.erased", "state.erased-unlisted", "script.erased"),
        *("problem.not-found.erased", "problem.gone.about", "transparency.state.erased"),
    },
}
"""Where such a word is literally so."""
NOT_FOR_PEOPLE = (
    *(r"hash\w*", r"fingerabdr\w+", r"perzeptuell\w*", r"hamming\w*", r"bits?", r"korpus", r"frontier", r"skizzen?"),
    *(r"verdikt\w*", r"merkmalsvektor\w*", r"schwellwert\w*"),
)
"""Words of the trade. Programs and operators get them, on their own pages."""
ENGLISH = r"the|and|of|with|from|is|are|were|that|this|your|you|which|when|copy|receipt|no"
"""Words that nearly every English sentence has one of, and no German one."""
NAMES = ("Have I Been Scraped", "Crawl of blog.example")
"""Of this service, and of a source, which is stored under the name that it was given."""


# --- the catalogue ---------------------------------------------------------------------------------------------


def test_no_sentence_is_long() -> None:
    for key, text in GERMAN.items():
        for sentence in re.split(r"(?<=[.!?:;])\s", text):
            assert len(sentence.split()) <= 26, f"{key}: {sentence}"


@pytest.mark.parametrize("word", NEVER)
def test_no_text_promises_more_than_is_so(word: str) -> None:
    for key, text in GERMAN.items():
        if key not in KEPT.get(word, ()):
            assert not re.search(rf"\b{word}\b", text.lower()), f"{key}: {text}"


def test_first_always_says_that_it_was_we_who_saw_it() -> None:
    for key, text in GERMAN.items():
        for found in re.finditer(r"zuerst (gesehen|von)|zuerst am|zum ersten mal|erstmals", text.lower()):
            around = text.lower()[max(0, found.start() - 60) : found.end() + 12]
            assert re.search(r"\bwir\b|von uns", around), f"{key}: {text}"


def test_readers_are_spoken_to_formally() -> None:
    for key, text in GERMAN.items():
        assert not re.search(r"\b([Dd]u|[Dd]ir|[Dd]ich|[Dd]ein(e[mnrs]?)?|[Ee]uch|[Ee]uer)\b", text), f"{key}: {text}"


def test_quotes_are_german() -> None:
    for key, text in GERMAN.items():
        assert not re.search(r"[„“”]", re.sub(r"„[^„“”]+“", "", text)), f"{key}: {text}"


def test_one_thing_has_one_name() -> None:
    """The receipt as the printed one calls itself; the code that takes a no back; what a photo is compared by."""
    for key, text in GERMAN.items():
        assert not re.search(r"\b(Beleg|Belege|Bestätigung|Widerrufscode|Fotocode|Bildcode|Opt-outs?)\b", text), (
            f"{key}: {text}"
        )


# --- values in sentences ----------------------------------------------------------------------------------------


def test_numbers_and_days_are_written_as_in_german() -> None:
    german = catalogue("de")
    moment = datetime(2026, 3, 2, 14, 3, tzinfo=UTC)
    assert german.number(12_404_118) == "12.404.118"
    assert german.day(moment) == "2. März 2026"
    assert german.minute(moment) == "2. März 2026 um 14:03 UTC"
    assert german.month("2026-05") == "Mai 2026"
    assert german.count("answer.found", 1) == "Gefunden: 1 Kopie"
    assert german.count("answer.found", 1_204) == "Gefunden: 1.204 Kopien"


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (Use.TRAIN_AI, "Nein zu KI-Training"),
        (Use.TRAIN_GENAI, "Nein zu Training von KI, die Bilder oder Texte erzeugt"),
        (Use.TDM, "Nein zu automatischer Auswertung"),
        (Use.SEARCH, "Nein zu Suchmaschinen"),
        (Use.INDEX, "Nein zu Bildverzeichnissen"),
        (Use.ALL, "Nein zu jeder Nutzung"),
    ],
)
def test_what_a_site_said_is_a_sentence_for_every_use(use: Use, said: str) -> None:
    assert said_words({use.value: Stance.DENY.value}, catalogue("de")) == said


# --- pages -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
def test_nothing_english_is_left(service: TestClient, path: str) -> None:
    page = service.get(f"/de{path}", headers={"Accept": "text/html"}).text
    for line in _told(page):
        assert not re.search(rf"\b({ENGLISH})\b", line), line


@pytest.mark.parametrize("path", FOR_EVERYBODY)
def test_pages_for_everybody_use_no_words_of_the_trade(service: TestClient, path: str) -> None:
    shown = visible(service.get(f"/de{path}").text).lower()
    for word in NOT_FOR_PEOPLE:
        assert not re.search(rf"\b{word}\b", shown), word


def test_the_start_page_says_what_was_looked_at(service: TestClient) -> None:
    shown = visible(service.get("/de/").text)
    assert "Wir haben 2 Bilder aus 2 Quellen angesehen, das neueste am 20. November 2026." in shown
    assert "Wir vergleichen Fotos, keine Gesichter: Ein anderes Foto von Ihnen wird nicht gefunden." in shown


def test_an_answer_is_german(service: TestClient, chelsea: bytes, coffee: bytes) -> None:
    found = _looked_up(service, chelsea)
    assert "Gefunden: 1 Kopie" in found
    assert "Nein zu KI-Training" in found
    missed = _looked_up(service, coffee)
    assert "Nicht gefunden in dem, was wir angesehen haben" in missed
    assert "Das ist kein Beweis, dass niemand es hat." in missed


def _looked_up(service: TestClient, picture: bytes) -> str:
    headers = {**JPEG, "Accept": "text/html", "Accept-Language": "de"}
    piece = service.post("/v1/lookups", content=picture, headers=headers)
    assert piece.status_code == 200
    return visible(piece.text)


def _told(page: str) -> Iterator[str]:
    """What a reader is told, bit by bit: without code, and without what is marked as another language."""
    page = re.sub(r"<(script|code|pre|title)\b.*?</\1>", " ", page, flags=re.DOTALL)
    page = re.sub(r'<(p|span|a|div)\b[^>]* lang="en"[^>]*>.*?</\1>', " ", page, flags=re.DOTALL)
    for name in NAMES:
        page = page.replace(name, " ")
    yield from (line for line in re.split(r"<[^>]+>", page) if line.strip())
    yield from re.findall(r'(?:aria-label|title|alt|placeholder)="([^"]*)"', page)
