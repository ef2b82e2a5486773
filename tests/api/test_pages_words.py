"""The words of the pages: complete, plain, and none that promises more than is so."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest
from api_service import Opener, TestClient, visible

from api.assets import contents
from checker.records.folder import DataFolder
from checker.settings import Settings

pytest_plugins = ("api_service",)
API = Path(__file__).resolve().parents[2] / "api"
CATALOGUE: dict[str, str] = json.loads((API / "catalogue" / "en.json").read_text(encoding="utf-8"))
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
)
NEVER = (
    *("safe", "not scraped", "removed", "protected", "anonymous", "anonymously", "guaranteed", "deleted", "clean"),
    *(
        "proof of ownership",
        "proof of infringement",
        "gdpr compliant",
        "faces cannot match",
        "never leaves your device",
    ),
    *("stays on your device", "stay on this device", "victim", "exposed", "your face", "leaked"),
)
"""Words that promise what nobody can keep, or that frighten."""
NOT_OF_THE_START_PAGE = ("receipts.js", "intimate.js")
NOT_FOR_PEOPLE = (
    "hash",
    "fingerprint",
    "perceptual",
    "hamming",
    "bits",
    "verdict",
    "corpus",
    "frontier",
    "sketch",
    "deny",
)
"""Words of the trade. Programs and operators get them, on their own pages."""
ALLOWED = {"The file stays on your device; the code in it is sent to this server."}


# --- the catalogue ---------------------------------------------------------------------------------------------


def test_templates_hold_no_words_of_their_own() -> None:
    for template in (API / "templates").glob("*.html"):
        text = re.sub(r"\{% block robots %\}[a-z]+", "", template.read_text(encoding="utf-8"))
        text = re.sub(r"\{[%{#].*?[%}#]\}", " ", text, flags=re.DOTALL)
        assert not re.search(r"[A-Za-z]{2,}", visible(text)), template.name
        assert not re.search(r'(alt|title|aria-label|placeholder)="[^"{]*[A-Za-z]', text), template.name


def test_scripts_hold_no_words_of_their_own() -> None:
    for script in (API / "static").rglob("*.js"):
        code = re.sub(r"^\s*(//|/\*\*).*$", "", script.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert not re.search(r"[\"'`][A-Z][a-z]+ [a-z]+", code), script.name


def test_every_key_that_is_asked_for_is_there_and_every_text_is_asked_for() -> None:
    sources = [*(API / "templates").glob("*.html"), *API.glob("*.py"), *(API / "routes").glob("*.py")]
    asked = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    scripts = "\n".join(path.read_text(encoding="utf-8") for path in (API / "static").rglob("*.js"))
    for key in re.findall(r'\bsay\("([a-z-]+\.[a-z0-9.-]*[a-z0-9])"', asked):
        assert key in CATALOGUE, key
    for key in re.findall(r'\bwords(?:\.([a-z]+)|\["([a-z-]+)"\])', scripts):
        assert f"script.{key[0] or key[1]}" in CATALOGUE, key
    for call, key in re.findall(r'\b(say|count)\("([a-z-]+)"', scripts):
        assert f"script.{key}" + (".other" if call == "count" else "") in CATALOGUE, key
    built = re.compile(
        r"^(no|use|said|kind|orientation|sources\.kind|about\.must-not|problem|nav|script|date|number"
        r"|state|state-more|look|operator|transparency\.(act|state|purpose)|docs\.in|about\.of|answer\.now)[.-]"
    )
    for key in CATALOGUE:
        plain = re.sub(r"\.(one|other)$", "", key)
        assert plain in asked or built.match(key), f"nobody asks for {key}"


def test_every_text_of_the_scripts_is_used() -> None:
    scripts = "\n".join(path.read_text(encoding="utf-8") for path in (API / "static").rglob("*.js"))
    built = re.compile(r"^(step|frame|kind|status)-|-(next|means)$")
    for key in (key.removeprefix("script.") for key in CATALOGUE if key.startswith("script.")):
        plain = re.sub(r"\.(one|other)$|-intimate$", "", key)
        literal = re.compile(rf"\bwords\.{plain}\b|[\"`]{plain}[\"`]")
        assert literal.search(scripts) or built.search(plain), f"nobody asks for {key}"


def test_no_sentence_is_long() -> None:
    for key, text in CATALOGUE.items():
        for sentence in re.split(r"(?<=[.!?:;])\s", text):
            assert len(sentence.split()) <= 26, f"{key}: {sentence}"


@pytest.mark.parametrize("word", NEVER)
def test_no_text_promises_more_than_is_so(word: str) -> None:
    for key, text in CATALOGUE.items():
        if text not in ALLOWED and not any(allowed in text for allowed in ALLOWED):
            assert not re.search(rf"\b{re.escape(word)}\b", text.lower()), f"{key}: {text}"


def test_pages_for_everybody_use_no_words_of_the_trade(service: TestClient) -> None:
    for path in ("/", "/opt-out", "/intimate", "/receipts", "/sources", "/privacy", "/about"):
        shown = visible(service.get(path).text).lower()
        for word in NOT_FOR_PEOPLE:
            assert not re.search(rf"\b{word}\b", shown), f"{path}: {word}"


def test_first_always_says_that_it_was_we_who_saw_it() -> None:
    for key, text in CATALOGUE.items():
        for found in re.finditer(r"first seen|saw it first|saw the first|for the first time", text.lower()):
            around = text.lower()[max(0, found.start() - 40) : found.end() + 8]
            assert re.search(r"\bwe (saw|have seen)\b|by us", around), f"{key}: {text}"


# --- pages -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_whole_and_loads_nothing_from_elsewhere(service: TestClient, path: str) -> None:
    answer = service.get(path)
    assert answer.status_code == 200
    assert answer.text.startswith('<!doctype html>\n<html lang="en"')
    assert answer.text.count("<h1") == 1
    loaded = re.findall(
        r'(?:src|href)="([^"]+)"', "\n".join(re.findall(r'<(?:script|link (?!rel="alternate")|img)[^>]*>', answer.text))
    )
    assert loaded
    assert all(address.startswith("/static/") for address in loaded)
    assert not re.search(r"<[^>]+\son[a-z]+=", answer.text)
    assert " style=" not in answer.text


@pytest.mark.parametrize("path", ["/", "/opt-out", "/intimate", "/de/"])
def test_the_first_load_is_small(service: TestClient, path: str) -> None:
    """Everything that the page and what it imports may load, uncompressed."""
    page = service.get(path).text
    address = re.search(r"/static/[0-9a-f]{12}/", page)
    assert address
    files = [name for name in contents() if name.endswith((".css", ".svg")) or name not in NOT_OF_THE_START_PAGE]
    total = len(page) + sum(len(service.get(address[0] + name).content) for name in files)
    assert total < 150_000
    assert len(contents()["style.css"]) < 16 * 1024


def test_the_start_page_says_that_choosing_sends_no_picture_and_how_to_go_on_without_scripts(
    service: TestClient,
) -> None:
    page = service.get("/").text
    shown = visible(page)
    assert "Choosing sends no picture: your browser makes a code of each photo and compares it itself." in shown
    assert "hibs check photo.jpg --server http://127.0.0.1:8000" in shown
    assert page.index('id="door"') < page.index('id="photo"'), "the door stands above the button"
    assert 'href="/intimate"' in page
    help_page = service.get("/intimate").text
    for link in ("https://stopncii.org/", "https://takeitdown.ncmec.org/"):
        assert f'<a href="{link}" rel="noreferrer noopener">' in help_page


def test_what_a_page_loads_may_be_kept_for_good_and_what_it_imports_too(service: TestClient) -> None:
    address = re.search(r"(/static/[0-9a-f]{12}/)start\.js", service.get("/").text)
    assert address
    for name in ("start.js", "page.js", "private/check.js"):
        answer = service.get(address[1] + name)
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    for other in ("/static/", "/static/000000000000/"):
        assert service.get(f"{other}page.js").headers["cache-control"] == "public, max-age=60"
    for nothing in ("000000000000/", "000000000000/../app.py", "private/", "private", f"{address[1][8:]}x.js"):
        assert service.get(f"/static/{nothing}").status_code == 404


def test_an_empty_service_says_so_and_offers_no_button(open_service: Opener, tmp_path: Path) -> None:
    DataFolder.open(tmp_path / "empty", create=True).close()
    settings = Settings(operator="Example e.V.", contact="mail@example.org")
    page = open_service(tmp_path / "empty", settings).get("/").text
    assert "This service has looked at 0 pictures yet, so it cannot answer." in page
    assert "Run by Example e.V. · contact: mail@example.org" in page
    assert 'id="photo"' not in page


def test_the_operators_page_tells_the_log_as_it_is(service: TestClient) -> None:
    page = unescape(service.get("/operators").text)
    key = service.get("/v1/feed/key").text.strip()
    assert f"hibs feed sync http://127.0.0.1:8000 feed/ --pin {key} --key-file feed.key" in page
    assert "hibs honour pictures/ --feed feed/ --dry-run" in page


def test_the_sources_page_shows_what_the_api_says(service: TestClient) -> None:
    shown = visible(service.get("/sources").text)
    assert "Crawl of blog.example" in shown
    assert "holiday" in shown
    assert "First seen by us" in shown


def test_the_docs_page_lists_every_endpoint(service: TestClient) -> None:
    shown = visible(service.get("/docs").text)
    for path, operations in service.get("/openapi.json").json()["paths"].items():
        for method in operations:
            assert f"{method.upper()} {path}" in shown
