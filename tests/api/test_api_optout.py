"""/v1/opt-outs: recorded, hidden at once, shown to its holder alone, taken back."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from api_service import CHECKS, JPEG, SEEN, Clock, Opener, TestClient, picture

from api.schemas.optouts import HolderTold, StatusTold
from checker.keys import Scope, create_key
from checker.model import Sha256, Stance, Use, Verdict
from checker.optout.entry import Evidence
from checker.optout.receipt import parse_receipt, verify_receipt
from checker.optout.request import OptOuts
from checker.records.folder import DataFolder
from checker.records.registry import REGISTRY_FILE, Registry
from checker.settings import Settings
from checker.visits import Outcome, PictureSeen, Visit

pytest_plugins = ("api_service",)
JSON = {"Content-Type": "application/json"}
GOOD = {"phash256": {"version": "1", "hex": "0f" * 32}}


def codes(name: str) -> dict[str, object]:
    return {"phash256": {"version": "1", "hex": picture(name).fingerprints[0].hex}}


def test_a_picture_gets_a_receipt_that_verifies_without_us(service: TestClient, chelsea: bytes) -> None:
    answer = service.post("/v1/opt-outs?uses=train-ai,tdm", content=chelsea, headers=JPEG)
    assert answer.status_code == 201
    document = answer.json()
    assert list(document) == ["number", "receipt", "withdraw_code", "withdraw_text", "held", "alerts"]
    assert document["held"] is False
    verified = verify_receipt(parse_receipt(document["receipt"]).to_bytes())
    assert verified.opt_out.number == document["number"]
    assert set(verified.opt_out.uses) == {Use.TRAIN_AI, Use.TDM}
    assert verified.opt_out.evidence == "picture"
    assert document["withdraw_text"].startswith(document["withdraw_code"])
    assert document["withdraw_code"] not in json.dumps(document["receipt"])


@pytest.mark.parametrize("form", ["codes", "pictures"])
def test_codes_alone_are_recorded_as_such(service: TestClient, form: str) -> None:
    body = {"codes": codes("chelsea.jpg")} if form == "codes" else {"pictures": [{"codes": codes("chelsea.jpg")}]}
    answer = service.post("/v1/opt-outs", content=json.dumps({**body, "uses": ["search"]}), headers=JSON)
    assert answer.status_code == 201
    opt_out = verify_receipt(parse_receipt(answer.json()["receipt"]).to_bytes()).opt_out
    assert opt_out.evidence == "code"
    assert opt_out.uses == (Use.SEARCH,)


def test_both_kinds_of_code_are_recorded_where_both_are_sent(service: TestClient) -> None:
    both = {**codes("chelsea.jpg"), "sscd512": {"version": "1-240436cc531e", "hex": "5a" * 64}}
    answer = service.post("/v1/opt-outs", content=json.dumps({"codes": both}), headers=JSON)
    assert (answer.status_code, answer.json()["held"]) == (201, "sscd512" in CHECKS), "it contradicts the stored one"
    both = {**codes("coffee.jpg"), "sscd512": {"version": "1-240436cc531e", "hex": "5a" * 64}}
    answer = service.post("/v1/opt-outs", content=json.dumps({"codes": both}), headers=JSON)
    opt_out = verify_receipt(parse_receipt(answer.json()["receipt"]).to_bytes()).opt_out
    assert [code.kind.name for code in opt_out.pictures[0]] == ["phash256", "sscd512"]


def test_several_pictures_are_one_opt_out(service: TestClient) -> None:
    body = {"pictures": [{"codes": codes("chelsea.jpg")}, {"codes": codes("rocket.jpg")}]}
    answer = service.post("/v1/opt-outs", content=json.dumps(body), headers=JSON)
    assert len(verify_receipt(parse_receipt(answer.json()["receipt"]).to_bytes()).opt_out.pictures) == 2


def test_naming_no_use_says_no_to_all(service: TestClient, chelsea: bytes) -> None:
    answer = service.post("/v1/opt-outs", content=chelsea, headers=JPEG)
    opt_out = verify_receipt(parse_receipt(answer.json()["receipt"]).to_bytes()).opt_out
    assert {use.value for use in opt_out.uses} == {"train-ai", "train-genai", "tdm", "search", "index"}


def test_it_hides_at_once_with_one_wording(service: TestClient, chelsea: bytes) -> None:
    service.post("/v1/opt-outs", content=chelsea, headers=JPEG)
    (match,) = service.post("/v1/lookups", content=chelsea, headers=JPEG).json()["matches"]
    assert match["where"] == "withheld"
    assert match["sightings"] == []
    assert match["withheld"] == {"count": 1, "first_seen_month": "2026-11"}
    assert "blog.example" not in service.get(f"/v1/images/{match['handle']}").text


def test_a_host_that_is_opted_out_is_not_named_any_more(service: TestClient, corpus: Path, chelsea: bytes) -> None:
    now = service.app.state.service.clock()  # type: ignore[attr-defined]
    with OptOuts.open(corpus, Settings(), now=now) as opt_outs:
        asked = {"uses": [Use.ALL], "evidence": Evidence.HOST_FILE, "now": now}
        made = opt_outs.record((), addresses=["blog.example/"], **asked)
        (match,) = service.post("/v1/lookups", content=chelsea, headers=JPEG).json()["matches"]
        assert (match["where"], match["sightings"]) == ("withheld", [])
        assert "blog.example" not in service.get(f"/v1/images/{match['handle']}").text
        opt_outs.erase(made.withdraw_code, now=now)
    (match,) = service.post("/v1/lookups", content=chelsea, headers=JPEG).json()["matches"]
    assert match["where"] == "shown"


def test_again_is_a_new_one_of_the_same_shape(service: TestClient, chelsea: bytes) -> None:
    first, second = (service.post("/v1/opt-outs", content=chelsea, headers=JPEG) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert list(first.json()) == list(second.json())
    assert first.json()["number"] != second.json()["number"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"codes": {"phash256": {"version": "1", "hex": "00" * 32}}}, "not-a-code"),
        ({"codes": {"phash256": {"version": "1", "hex": "ff" * 32}}}, "not-a-code"),
        ({"codes": {**GOOD, "sscd512": {"version": "1-240436cc531e", "hex": "00" * 63}}}, "not-a-code"),
        ({"codes": {"sscd512": {"version": "1-240436cc531e", "hex": "00" * 64}}}, "invalid-request"),
        ({}, "invalid-request"),
        ({"pictures": []}, "invalid-request"),
        ({"person": "Anna"}, "invalid-request"),
        ({"host": "example.org"}, "invalid-request"),
        ({"codes": GOOD, "pictures": [{"codes": GOOD}]}, "invalid-request"),
        ({"uses": [], "codes": GOOD}, "invalid-request"),
        ({"uses": ["train"], "codes": GOOD}, "invalid-request"),
    ],
)
def test_what_cannot_be_recorded_is_refused_and_counts_nothing(
    service: TestClient, body: dict[str, object], kind: str
) -> None:
    answer = service.post("/v1/opt-outs", content=json.dumps(body), headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["type"] == f"/problems/{kind}"
    assert "Anna" not in answer.text
    assert service.get("/v1/stats").json()["log"]["size"] == 0


def test_twenty_a_day_then_429_with_the_seconds_until_midnight(service: TestClient, chelsea: bytes) -> None:
    answers = [
        service.post("/v1/opt-outs", content=chelsea, headers={**JPEG, "X-Forwarded-For": f"198.51.100.{n}"})
        for n in range(21)
    ]
    assert [a.status_code for a in answers] == [201] * 20 + [429]
    assert answers[-1].headers["Retry-After"] == "35820"  # 14:03 UTC: 9 hours and 57 minutes
    assert answers[-1].json()["type"] == "/problems/rate-limited"
    assert service.post("/v1/lookups", content=chelsea, headers=JPEG).status_code == 200


def test_the_share_of_a_day_is_a_setting(open_service: Opener, corpus: Path, chelsea: bytes) -> None:
    service = open_service(corpus, Settings(opt_outs_per_day_max=1))
    assert [service.post("/v1/opt-outs", content=chelsea, headers=JPEG).status_code for _ in range(2)] == [201, 429]


# --- status and withdrawal -------------------------------------------------------------------------------------


def receipt_header(code: str) -> dict[str, str]:
    return {"Authorization": f"Receipt {code}"}


def test_the_holder_sees_how_it_stands_and_takes_it_back(service: TestClient, chelsea: bytes, clock: Clock) -> None:
    made = service.post("/v1/opt-outs?uses=train-ai", content=chelsea, headers=JPEG).json()
    path, header = f"/v1/opt-outs/{made['number']}", receipt_header(made["withdraw_code"])
    status = service.get(path, headers=header).json()
    assert status["state"] == "recorded"
    assert status["uses"] == ["train-ai"]
    assert status["recorded_at"] == "2026-11-22T14:03:00Z"
    assert status["withdraw_at"] is None

    taken_back = service.delete(path, headers=header).json()
    assert taken_back["state"] == "withdrawing"
    assert taken_back["withdraw_at"] == "2026-11-29T14:03:00Z"
    (match,) = service.post("/v1/lookups", content=chelsea, headers=JPEG).json()["matches"]
    assert match["where"] == "withheld", "it still hides until it has ended"

    clock.now += timedelta(days=7)
    assert service.get(path, headers=header).json()["state"] == "withdrawn"
    (match,) = service.post("/v1/lookups", content=chelsea, headers=JPEG).json()["matches"]
    assert match["where"] == "shown"


def test_a_withdrawal_ends_the_hiding_though_nobody_asks_how_it_stands(
    service: TestClient, chelsea: bytes, clock: Clock
) -> None:
    made = service.post("/v1/opt-outs", content=chelsea, headers=JPEG).json()
    service.delete(f"/v1/opt-outs/{made['number']}", headers=receipt_header(made["withdraw_code"]))
    (match,) = service.post("/v1/lookups", content=chelsea, headers=JPEG).json()["matches"]
    clock.now += timedelta(days=7)
    handle_answer = service.get(f"/v1/images/{match['handle']}")
    assert handle_answer.status_code == 404, "a handle is good for a day"
    (match,) = service.post("/v1/lookups", content=chelsea, headers=JPEG).json()["matches"]
    assert match["where"] == "shown"


@pytest.mark.parametrize(
    ("query", "place"),
    [
        *(("use=tdm", "query"), ("Uses=tdm", "query"), ("uses[]=tdm", "query"), ("uses=tdm&x=1", "query")),
        *(("uses=tdm&uses=search", "uses"), ("uses=", "uses"), ("uses=tdm,x", "uses")),
    ],
)
def test_a_misspelt_parameter_is_no_silent_no_to_all(
    service: TestClient, chelsea: bytes, query: str, place: str
) -> None:
    answer = service.post(f"/v1/opt-outs?{query}", content=chelsea, headers=JPEG)
    assert answer.status_code == 422
    assert answer.json()["places"] == [place]


def test_two_services_on_one_folder_share_the_count_of_a_day(
    open_service: Opener, corpus: Path, chelsea: bytes
) -> None:
    services = [open_service(corpus, Settings(opt_outs_per_day_max=2)) for _ in range(2)]
    answers = [services[n % 2].post("/v1/opt-outs", content=chelsea, headers=JPEG).status_code for n in range(3)]
    assert answers == [201, 201, 429]


def test_an_unknown_number_and_a_wrong_code_get_the_same_bytes(service: TestClient, chelsea: bytes) -> None:
    made = service.post("/v1/opt-outs", content=chelsea, headers=JPEG).json()
    other = service.post("/v1/opt-outs", content=chelsea, headers=JPEG).json()
    unknown = "0000-0000" if made["number"] != "0000-0000" else "1111-1111"
    for method in ("GET", "DELETE"):
        answers = [
            service.request(method, f"/v1/opt-outs/{number}", headers=receipt_header(code))
            for number, code in (
                (unknown, made["withdraw_code"]),
                (made["number"], "hibs-w1-" + "0" * 32),
                (made["number"], other["withdraw_code"]),
                ("what ever", "nothing"),
            )
        ]
        assert {a.status_code for a in answers} == {404}
        assert len({a.content for a in answers}) == 1
        assert len({tuple(a.headers.items()) for a in answers}) == 1
        assert answers[0].json()["detail"] == "This receipt does not open here. The no itself is not lost by that."
    status = service.get(f"/v1/opt-outs/{made['number']}", headers=receipt_header(made["withdraw_code"]))
    assert status.json()["state"] == "recorded"


def test_without_a_code_the_number_opens_nothing(service: TestClient, chelsea: bytes) -> None:
    number = service.post("/v1/opt-outs", content=chelsea, headers=JPEG).json()["number"]
    known, unknown = service.get(f"/v1/opt-outs/{number}"), service.get("/v1/opt-outs/0000-0000")
    assert known.status_code == 401
    assert known.headers["WWW-Authenticate"].startswith("Receipt")
    assert known.content == unknown.content


def test_the_holder_sees_where_it_was_seen_and_others_do_not(
    service: TestClient, corpus: Path, chelsea: bytes, clock: Clock
) -> None:
    with closing(Registry.open(corpus / REGISTRY_FILE)) as registry:
        create_key(registry, name="reader", scopes=[Scope.FEED], now=clock.now)
    made = service.post("/v1/opt-outs", content=chelsea, headers=JPEG).json()
    answer = service.get(f"/v1/opt-outs/{made['number']}", headers=receipt_header(made["withdraw_code"]))
    document = answer.json()
    HolderTold.model_validate(document)
    (seen,) = document["sightings"]
    assert (seen["image_url"], seen["page_url"]) == ("https://img.example/p/88.jpg", "https://blog.example/trip")
    assert (seen["new"], seen["look"]) == (False, "still there on 20 November 2026")
    assert (document["sightings_all"], document["new"], document["reason"]) == (1, 0, None)
    assert [(word["operator"], word["says"]) for word in document["operators"]] == [("reader", "not heard from")]
    assert "blog.example" not in service.post("/v1/lookups", content=chelsea, headers=JPEG).text


def test_the_receipt_can_be_had_again_with_the_code_alone(service: TestClient, chelsea: bytes) -> None:
    made = service.post("/v1/opt-outs", content=chelsea, headers=JPEG).json()
    other = service.post("/v1/opt-outs", content=chelsea, headers=JPEG).json()
    path = f"/v1/opt-outs/{made['number']}/receipt"
    again = service.get(path, headers=receipt_header(made["withdraw_code"]))
    receipt = parse_receipt(again.json())
    assert verify_receipt(receipt.to_bytes()).opt_out.number == made["number"]
    assert (receipt.leaf.hex(), receipt.tree_size) == (made["receipt"]["leaf"], 2)
    refused = [service.get(path, headers=receipt_header(code)) for code in (other["withdraw_code"], "nothing")]
    assert [a.status_code for a in refused] == [404, 404]
    assert refused[0].content == refused[1].content
    assert service.get(path).status_code == 401


def test_a_person_gets_a_piece_of_a_page_and_a_sheet_and_a_program_gets_json(
    service: TestClient, chelsea: bytes
) -> None:
    made = service.post("/v1/opt-outs?uses=tdm", content=chelsea, headers=JPEG).json()
    path, header = f"/v1/opt-outs/{made['number']}", receipt_header(made["withdraw_code"])
    person = {**header, "Accept": "text/html"}
    standing = service.get(path, headers=person)
    assert standing.headers["content-type"] == "text/html; charset=utf-8"
    for shown in (made["number"], "https://blog.example/trip", "still there on 20 November 2026", "\\u202egnp.exe"):
        assert shown in standing.text
    assert "<img" not in standing.text
    sheet = service.get(f"{path}/receipt", headers=person)
    assert sheet.headers["content-disposition"] == f'attachment; filename="{made["number"]}.receipt.html"'
    assert f"http://127.0.0.1:8000/receipts#{made['number']}" in sheet.text
    assert made["withdraw_code"] not in standing.text + sheet.text
    for accept in ("*/*", "application/json", "text/html, application/json"):
        assert service.get(path, headers={**header, "Accept": accept}).json()["state"] == "recorded"
        assert service.get(f"{path}/receipt", headers={**header, "Accept": accept}).json()["index"] == 0
    refused = [service.get(p, headers={"Accept": "text/html"}) for p in (path, f"{path}/receipt")]
    assert [(a.status_code, a.headers["content-type"]) for a in refused] == [(401, "application/problem+json")] * 2


def test_erasing_is_asked_for_in_so_many_words(service: TestClient, chelsea: bytes) -> None:
    made = service.post("/v1/opt-outs", content=chelsea, headers=JPEG).json()
    path, header = f"/v1/opt-outs/{made['number']}", receipt_header(made["withdraw_code"])
    for query in ("erase=yes", "erase=true&erase=true", "Erase=true", "forget=true"):
        assert service.delete(f"{path}?{query}", headers=header).status_code == 422
    erased = service.delete(f"{path}?erase=true", headers=header)
    StatusTold.model_validate(erased.json())
    assert erased.json()["state"] == "erased"
    assert service.delete(f"{path}?erase=true", headers=header).json() == erased.json()
    document = service.get(path, headers=header).json()
    assert (document["state"], document["sightings"]) == ("erased", [])
    assert (document["uses"], document["pictures"], document["addresses"]) == ([], 0, [])
    gone = service.get(f"{path}/receipt", headers=header)
    assert gone.status_code == 404
    assert gone.json()["detail"] == "There is no receipt any more, because what this no said is erased."
    (match,) = service.post("/v1/lookups", content=chelsea, headers=JPEG).json()["matches"]
    assert match["where"] == "shown"


# --- held ------------------------------------------------------------------------------------------------------


def test_a_logo_on_many_hosts_is_held(service: TestClient, corpus: Path) -> None:
    logo = picture("coffee.jpg")
    with DataFolder.open(corpus, create=False) as folder:
        source = folder.store.source("Crawl of shops", kind="crawl", now=SEEN)
        said = Verdict(Stance.ALLOW, dict.fromkeys(Use, Stance.UNSPECIFIED), ())
        for n in range(60):
            shown = PictureSeen(replace(logo, sha256=Sha256(f"{n:064x}")), servable=True)
            url = f"https://shop{n}.example/logo.png"
            folder.store.record(Visit(url, "image", Outcome.DONE, SEEN, verdict=said, seen=shown), source=source)
    answer = service.post("/v1/opt-outs", content=json.dumps({"codes": codes("coffee.jpg")}), headers=JSON)
    assert (answer.status_code, answer.json()["held"]) == (201, True)
    assert service.get("/v1/stats").json()["log"]["size"] == 0
