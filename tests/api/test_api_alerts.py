"""/v1/alerts: a secret Atom address for each opt-out; new copies of its own pictures, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import feedparser
import pytest
from api_service import IMAGES, JPEG, SEEN, Clock, Opener, TestClient
from fresh_copies import met_in_a_folder, met_on_a_page
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient as Client

from api.app import Serving, create_app
from api.proxies import Proxies
from api.routes.alerts import atom_feed
from api.words import catalogue
from checker.model import Locator, Sighting, Source
from checker.optout.alerts import Alert
from checker.optout.states import State, Status
from checker.settings import Settings

pytest_plugins = ("api_service",)
HOSTILE = "<img src=x onerror=alert(1)> ]]> &amp; \u202egnp.exe \x1b]0;x\x07"


@pytest.fixture
def made(service: TestClient) -> dict[str, Any]:
    """A no for chelsea.jpg, as its holder has it."""
    return say_no(service, "chelsea.jpg")


def say_no(service: Client, name: str, **headers: str) -> dict[str, Any]:
    answer = service.post("/v1/opt-outs", content=(IMAGES / name).read_bytes(), headers={**JPEG, **headers})
    assert answer.status_code == 201
    return dict(answer.json())


def status(service: Client, made: dict[str, Any]) -> dict[str, Any]:
    answer = service.get(
        f"/v1/opt-outs/{made['number']}", headers={"Authorization": f"Receipt {made['withdraw_code']}"}
    )
    assert answer.status_code == 200
    return dict(answer.json())


def entries(service: Client, made: dict[str, Any]) -> list[Any]:
    """The entries as a feed reader sees them (feedparser)."""
    answer = service.get(made["alerts"])
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/atom+xml")
    parsed = feedparser.parse(answer.content)
    assert not parsed.bozo, parsed.get("bozo_exception")
    assert parsed.version == "atom10"
    return list(parsed.entries)


def end(service: Client, made: dict[str, Any], query: str = "") -> None:
    code = {"Authorization": f"Receipt {made['withdraw_code']}"}
    assert service.delete(f"/v1/opt-outs/{made['number']}{query}", headers=code).status_code == 200


# --- what it tells ---------------------------------------------------------------------------------------------


def test_a_new_copy_is_one_entry_and_none_for_others(
    service: TestClient, corpus: Path, made: dict[str, Any], clock: Clock
) -> None:
    other = say_no(service, "rocket.jpg")
    assert entries(service, made) == []
    met_on_a_page(corpus, "chelsea.jpg", "https://late.example/cats", width=300, at=clock.now + timedelta(minutes=2))
    (entry,) = entries(service, made)
    assert entry.title == "New copy: late.example"
    assert entry.published == entry.updated == "2026-11-22T14:05:00Z"
    assert entry.summary.splitlines() == [
        "On the page: https://late.example/cats",
        "Picture at: https://late.example/cats/copy.png",
        "Source: Crawl",
        "We saw it first on 22 November 2026",
    ]
    assert entries(service, other) == []
    assert status(service, made)["new"] == 1


def test_what_was_seen_before_the_no_is_no_news(service: TestClient, made: dict[str, Any]) -> None:
    assert status(service, made)["sightings_all"] == 1
    assert entries(service, made) == []


def test_ids_and_entries_stay_as_they_are(
    service: TestClient, corpus: Path, made: dict[str, Any], clock: Clock
) -> None:
    later = clock.now + timedelta(minutes=2)
    met_in_a_folder(corpus, "chelsea.jpg", "late/one.png", width=300, at=later)
    (first,) = entries(service, made)
    before = service.get(made["alerts"])
    met_in_a_folder(corpus, "chelsea.jpg", "late/one.png", width=300, at=later + timedelta(days=1))
    clock.now += timedelta(days=2)
    assert service.get(made["alerts"]).content == before.content, "seen again is no news"
    met_in_a_folder(corpus, "chelsea.jpg", "late/two.png", width=310, at=later + timedelta(days=3))
    newest, oldest = entries(service, made)
    assert "late/two.png" in newest.summary, "the newest first"
    assert oldest == first
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", first.id)
    assert newest.id != first.id
    again = say_no(service, "chelsea.jpg")
    assert entries(service, again) == [], "later than both"


def test_a_reader_that_has_it_gets_304_until_there_is_more(
    service: TestClient, corpus: Path, made: dict[str, Any], clock: Clock
) -> None:
    first = service.get(made["alerts"])
    assert first.headers["Cache-Control"] == "private, max-age=60"
    assert first.headers["X-Robots-Tag"] == "noindex"
    for tag in (first.headers["ETag"], f'"other", W/{first.headers["ETag"]}'):
        again = service.get(made["alerts"], headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
    met_in_a_folder(corpus, "chelsea.jpg", "late.png", width=300, at=clock.now + timedelta(minutes=2))
    assert service.get(made["alerts"], headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_it_is_told_when_it_is_recorded_and_with_the_status(service: TestClient, made: dict[str, Any]) -> None:
    assert made["alerts"].startswith(f"http://127.0.0.1:8000/v1/alerts/{made['number']}-")
    assert status(service, made)["alerts"] == made["alerts"]


def test_a_held_no_has_its_address_too(open_service: Opener, corpus: Path, clock: Clock) -> None:
    service = open_service(corpus, Settings(opt_outs_of_all_per_day_max=0))
    made = say_no(service, "chelsea.jpg")
    assert made["held"] is True
    met_in_a_folder(corpus, "chelsea.jpg", "late.png", width=300, at=clock.now + timedelta(minutes=2))
    assert len(entries(service, made)) == 1


def test_words_of_strangers_are_text_and_nothing_leads_to_them(
    service: TestClient, corpus: Path, made: dict[str, Any], clock: Clock
) -> None:
    later = clock.now + timedelta(minutes=2)
    met_on_a_page(corpus, "chelsea.jpg", "https://late.example/a", width=300, at=later, caption=HOSTILE)
    document = service.get(made["alerts"]).text
    assert "<img" not in document
    assert set(re.findall(r'href="([^"]*)"', document)) == {
        made["alerts"],
        f"http://127.0.0.1:8000/receipts#{made['number']}",
    }
    (entry,) = entries(service, made)
    assert entry.content[0].type == "text/plain"
    assert r"<img src=x onerror=alert(1)> ]]> &amp; \u202egnp.exe \u001b]0;x\u0007" in entry.summary


def test_it_speaks_the_language_that_it_was_asked_for(service: TestClient) -> None:
    german = say_no(service, "chelsea.jpg", **{"Accept-Language": "de"})
    assert german["alerts"].endswith("?language=de")
    feed = feedparser.parse(service.get(german["alerts"], headers={"Accept-Language": "en"}).content).feed
    assert feed.title == catalogue("de").say("alerts.title", number=german["number"])
    assert feed.language == "de"
    assert feed.id == feedparser.parse(service.get(german["alerts"].partition("?")[0]).content).feed.id
    for query in ("?language=xx", "?languages=de", "?language=de&language=en"):
        answer = service.get(german["alerts"].partition("?")[0] + query)
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")


def test_behind_a_proxy_the_address_is_the_one_that_readers_reach(corpus: Path, clock: Clock) -> None:
    serving = Serving(proxies=Proxies.parse(["203.0.113.7"]))
    app = create_app(corpus, Settings(), clock=clock, allowed_hosts=("photos.example",), serving=serving)
    with Client(app, base_url="http://photos.example", client=("203.0.113.7", 1)) as service:
        forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.1"}
        made = say_no(service, "chelsea.jpg", **forwarded)
        assert made["alerts"].startswith("https://photos.example/v1/alerts/")
        document = service.get(made["alerts"].replace("https", "http"), headers=forwarded).text
        assert f'rel="self" type="application/atom+xml" href="{made["alerts"]}"' in document


# --- what it does not open -------------------------------------------------------------------------------------


def test_the_token_is_made_one_way_from_what_the_registry_keeps(made: dict[str, Any]) -> None:
    kept = hashlib.sha256(made["withdraw_code"].encode()).digest()
    mac = hmac.new(kept, b"hibs alerts v1\n" + made["number"].encode(), hashlib.sha256).digest()[:20]
    crockford = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    expected = base64.b32encode(mac).decode().translate(crockford)
    assert made["alerts"].rpartition("/")[2] == f"{made['number']}-{expected}"


def test_unknown_and_wrong_are_the_same_nothing(service: TestClient, made: dict[str, Any]) -> None:
    token = made["alerts"].rpartition("/")[2]
    other = say_no(service, "rocket.jpg")
    wrong = [
        token[:-1] + ("0" if token[-1] != "0" else "1"),
        token[:-1],
        token + "0",
        token.lower(),
        other["number"] + token[9:],
        "ZZZZ-ZZZZ" + token[9:],
        made["number"],
        "é" * 42,
        f"{made['number']}-" + "0" * 32,
        made["withdraw_code"],
    ]
    answers = [service.get(f"/v1/alerts/{text}") for text in wrong]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["type"] == "/problems/not-found"


def test_it_opens_neither_status_nor_receipt_nor_the_end(service: TestClient, made: dict[str, Any]) -> None:
    token = made["alerts"].rpartition("/")[2]
    for code in (token, token[10:], f"hibs-w1-{token[10:]}"):
        header = {"Authorization": f"Receipt {code}"}
        for method, path in (("GET", ""), ("GET", "/receipt"), ("DELETE", ""), ("DELETE", "?erase=true")):
            answer = service.request(method, f"/v1/opt-outs/{made['number']}{path}", headers=header)
            assert answer.status_code == 404
    for method in ("POST", "PUT", "DELETE"):
        assert service.request(method, made["alerts"]).status_code == 405
    document = service.get(made["alerts"]).text
    assert made["withdraw_code"] not in document
    assert "recorded" not in document.lower().replace("?", "")
    assert status(service, made)["state"] == "recorded"


def test_it_goes_on_while_a_withdrawal_waits_and_has_ended_after_it(
    service: TestClient, made: dict[str, Any], clock: Clock
) -> None:
    end(service, made)
    assert status(service, made)["state"] == "withdrawing"
    assert entries(service, made) == []
    clock.now += timedelta(days=8)
    gone = service.get(made["alerts"])
    assert (gone.status_code, gone.json()["type"]) == (410, "/problems/gone")
    assert status(service, made)["alerts"] is None


def test_an_erased_one_has_ended(service: TestClient, corpus: Path, made: dict[str, Any], clock: Clock) -> None:
    met_in_a_folder(corpus, "chelsea.jpg", "late.png", width=300, at=clock.now + timedelta(minutes=2))
    end(service, made, "?erase=true")
    assert service.get(made["alerts"]).status_code == 410
    assert status(service, made)["alerts"] is None


# --- the document ----------------------------------------------------------------------------------------------

HELD = Status("4F7K-20M9", State.RECORDED, 0, ("tdm",), "picture", 1, (), SEEN, None, None)
PLACE = Sighting(
    image_url=None,
    page_url=None,
    caption=None,
    source=Source("1", "holiday", "folder"),
    locator=Locator(file="a.jpg"),
    first_seen=SEEN,
    last_seen=SEEN,
    verdict={},
)


@given(st.text(max_size=60), st.text(min_size=1, max_size=30))
def test_any_text_makes_a_document_that_readers_can_read(caption: str, name: str) -> None:
    sighting = replace(PLACE, caption=caption, source=Source("1", name, "folder"))
    document = atom_feed(
        HELD,
        (Alert("urn:uuid:1", sighting),),
        catalogue("en"),
        address="https://a.example/?x=1&y=<",
        page="https://a.example/",
    )
    parsed = feedparser.parse(document)
    assert not parsed.bozo
    (entry,) = parsed.entries
    assert len(parsed.entries) == 1
    if caption.strip() and caption.isprintable():
        assert f"Text stored with it: {caption}".strip() in entry.summary


def test_of_many_new_copies_the_newest_hundred_are_told(
    service: TestClient, corpus: Path, made: dict[str, Any], clock: Clock
) -> None:
    later = clock.now + timedelta(minutes=2)
    met_in_a_folder(corpus, "chelsea.jpg", "early.png", width=300, at=later)
    met_in_a_folder(corpus, "chelsea.jpg", *(f"{n}.png" for n in range(100)), width=300, at=later + timedelta(days=1))
    told = entries(service, made)
    assert len(told) == len({entry.id for entry in told}) == 100
    assert {entry.published for entry in told} == {"2026-11-23T14:05:00Z"}
    assert status(service, made)["new"] == 101


def test_the_time_of_the_list_is_that_of_its_newest_entry(
    service: TestClient, corpus: Path, made: dict[str, Any]
) -> None:
    assert "<updated>2026-11-22T14:03:00Z</updated>" in service.get(made["alerts"]).text
    met_in_a_folder(corpus, "chelsea.jpg", "late.png", width=300, at=datetime(2026, 11, 23, 8, 0, tzinfo=UTC))
    assert service.get(made["alerts"]).text.count("<updated>2026-11-23T08:00:00Z</updated>") == 2
    assert json.dumps(status(service, made)).count("late.png") == 1
