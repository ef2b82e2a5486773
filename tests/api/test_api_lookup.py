"""POST /v1/lookups and GET /v1/images/{handle}."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from api_service import CHECKS, IMAGES, JPEG, Clock, Opener, TestClient, picture
from fastapi import FastAPI
from PIL import Image, ImageOps

from api.app import Serving, create_app
from api.rates import Rate
from checker.fingerprint import Depth, fingerprint_file
from checker.model import Picture
from checker.records.folder import DataFolder
from checker.settings import Settings

pytest_plugins = ("api_service",)
JSON = {"Content-Type": "application/json"}


def code_body(hex_digits: str, version: str = "1") -> bytes:
    return json.dumps({"codes": {"phash256": {"version": version, "hex": hex_digits}}}).encode()


def test_a_copy_is_found_with_what_where_since_when_and_what_was_said(service: TestClient, chelsea: bytes) -> None:
    answer = service.post("/v1/lookups", content=chelsea, headers=JPEG)
    assert answer.status_code == 200
    report = answer.json()
    assert "path" not in report
    assert report["status"] == "checked"
    assert report["coverage"] == {
        "images": 2,
        "sources": 2,
        "newest": "2026-11-20T12:00:00Z",
        "checks": CHECKS,
    }
    (match,) = report["matches"]
    assert match["kind"] == "same"
    (sighting,) = match["sightings"]
    assert sighting["image_url"] == "https://img.example/p/88.jpg"
    assert sighting["page_url"] == "https://blog.example/trip"
    assert sighting["source"]["name"] == "Crawl of blog.example"
    assert sighting["first_seen"] == "2026-11-20T12:00:00Z"
    assert sighting["verdict"]["train-ai"] == "deny"


def test_a_copy_is_found_by_its_code_alone(service: TestClient) -> None:
    answer = service.post("/v1/lookups", content=code_body(picture("chelsea.jpg").fingerprints[0].hex), headers=JSON)
    assert [match["codes"] for match in answer.json()["matches"]] == [{"phash256": 0}]


def test_photos_that_wait_keep_nobody_out_who_asks_by_codes(service: TestClient, chelsea: bytes) -> None:
    places = cast(FastAPI, service.app).state.service.gates.pictures
    taken, places._taken = places._taken, places._places
    try:
        codes = code_body(picture("chelsea.jpg").fingerprints[0].hex)
        assert service.post("/v1/lookups", content=codes, headers=JSON).status_code == 200
        refused = service.post("/v1/lookups", content=chelsea, headers=JPEG)
    finally:
        places._taken = taken
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert refused.json()["type"].endswith("/problems/busy")
    assert service.post("/v1/lookups", content=chelsea, headers=JPEG).status_code == 200


ANOTHER_MODEL = {"version": "1-0123456789ab", "hex": "5a" * 64}


def both_kinds(name: str) -> dict[str, dict[str, str]]:
    """What `hibs fingerprint --json` writes of a photo."""
    found = fingerprint_file(IMAGES / name, Settings(), depth=Depth.WHOLE)
    assert isinstance(found, Picture)
    return {code.kind.name: {"version": code.kind.version, "hex": code.hex} for code in found.fingerprints}


def test_codes_of_every_kind_that_the_command_makes_are_compared(service: TestClient) -> None:
    answer = service.post("/v1/lookups", json={"codes": both_kinds("chelsea.jpg")})
    assert [match["codes"] for match in answer.json()["matches"]] == [dict.fromkeys(CHECKS, 0)]


def test_a_code_of_another_model_is_read_and_never_near(service: TestClient) -> None:
    codes = {"phash256": both_kinds("chelsea.jpg")["phash256"], "sscd512": ANOTHER_MODEL}
    answer = service.post("/v1/lookups", json={"codes": codes})
    assert [match["codes"] for match in answer.json()["matches"]] == [{"phash256": 0}]


@pytest.mark.parametrize(
    "code",
    [
        {"version": "1-0123456789ab", "hex": "5a" * 32},
        {"version": "1-0123456789ab", "hex": "zz" * 64},
        {"version": "1", "hex": "5a" * 64},
        {"version": "1-0123456789AB", "hex": "5a" * 64},
    ],
    ids=["too short", "no digits", "no model", "capital digits of the model"],
)
def test_what_is_no_code_of_the_second_kind_is_refused(service: TestClient, code: dict[str, str]) -> None:
    codes = {"phash256": both_kinds("chelsea.jpg")["phash256"], "sscd512": code}
    answer = service.post("/v1/lookups", json={"codes": codes})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/not-a-code")


def test_the_second_kind_alone_is_no_question_and_no_opt_out(service: TestClient) -> None:
    alone = service.post("/v1/lookups", json={"codes": {"sscd512": ANOTHER_MODEL}})
    assert (alone.status_code, alone.json()["places"]) == (422, ["codes.phash256"])
    alone = service.post("/v1/opt-outs", json={"codes": {"sscd512": ANOTHER_MODEL}})
    assert (alone.status_code, alone.json()["places"]) == (422, ["codes.phash256"])


@pytest.mark.parametrize(
    ("edit", "orientation", "part"),
    [
        (ImageOps.mirror, "mirrored", False),
        (lambda image: image.rotate(-90, expand=True), "turned-270", False),
        (lambda image: ImageOps.expand(image, 30, "white"), "as-is", True),
    ],
    ids=["mirrored", "turned clockwise", "framed"],
)
def test_a_copy_that_was_turned_or_framed_is_found_with_how_it_lies(
    service: TestClient, edit: Callable[[Image.Image], Image.Image], orientation: str, part: bool
) -> None:
    """The copy lies as seen from the asked photo: one that was turned to the right sees it turned to the left."""
    edited = png(edit(Image.open(IMAGES / "rocket.jpg").convert("RGB")))
    (match,) = service.post("/v1/lookups", content=edited, headers=JPEG).json()["matches"]
    assert match["kind"] in ("same", "edited")
    assert (match["orientation"], match["crop"] is not None) == (orientation, part)
    assert match["codes_disagree"] is False
    assert 0 <= match["expected_chance_matches"] < 1e-6


def test_not_found_carries_coverage(service: TestClient, coffee: bytes) -> None:
    report = service.post("/v1/lookups", content=coffee, headers={"Content-Type": "application/octet-stream"}).json()
    assert report["matches"] == []
    assert report["coverage"]["images"] == 2


def test_answers_come_in_steps_of_4_kib(service: TestClient, chelsea: bytes, coffee: bytes) -> None:
    found = service.post("/v1/lookups", content=chelsea, headers=JPEG).content
    not_found = service.post("/v1/lookups", content=coffee, headers=JPEG).content
    assert len(found) == len(not_found) == 4096


def test_an_empty_corpus_gives_no_answer(open_service: Opener, tmp_path: Path, coffee: bytes) -> None:
    DataFolder.open(tmp_path / "empty", create=True).close()
    service = open_service(tmp_path / "empty")
    for body, headers in ((coffee, JPEG), (code_body(picture("coffee.jpg").fingerprints[0].hex), JSON)):
        answer = service.post("/v1/lookups", content=body, headers=headers)
        assert answer.status_code == 503
        assert answer.json()["type"] == "/problems/corpus-empty"
        assert answer.json()["title"] == "This service has looked at 0 pictures yet, so it cannot answer."


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("colour", ["white", "black", "grey"])
def test_a_plain_picture_is_refused_in_the_exact_words(service: TestClient, colour: str) -> None:
    answer = service.post("/v1/lookups", content=png(Image.new("RGB", (200, 200), colour)), headers=JPEG)
    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/too-plain"
    title = "This picture has too little in it to tell it from others (for example a plain wall)."
    assert answer.json()["title"] == title


@pytest.mark.parametrize("body", [b"", b"hello", b"\xff\xd8\xff\xe0 cut", b"\0\0\0\x18ftypheic" + bytes(100)])
def test_what_is_no_picture_gets_one_sentence_and_a_next_step(service: TestClient, body: bytes) -> None:
    answer = service.post("/v1/lookups", content=body, headers=JPEG)
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["type"] == "/problems/unreadable"
    assert problem["detail"][0].isupper()
    assert problem["next"]


def test_a_cut_off_photo_is_refused_and_the_next_one_works(service: TestClient, chelsea: bytes) -> None:
    assert service.post("/v1/lookups", content=chelsea[: len(chelsea) // 2], headers=JPEG).status_code == 422
    assert service.post("/v1/lookups", content=chelsea, headers=JPEG).status_code == 200


def test_more_than_the_limit_is_413(service: TestClient) -> None:
    answer = service.post("/v1/lookups", content=bytes(20 * 2**20 + 1), headers=JPEG)
    assert answer.status_code == 413
    assert answer.json()["detail"] == "This file is larger than 20 MiB, the most that is read here."


@pytest.mark.parametrize(
    "media_type", ["multipart/form-data; boundary=x", "text/plain", "", "application/x-www-form-urlencoded"]
)
def test_forms_and_texts_are_415(service: TestClient, chelsea: bytes, media_type: str) -> None:
    answer = service.post("/v1/lookups", content=chelsea, headers={"Content-Type": media_type})
    assert answer.status_code == 415


@pytest.mark.parametrize(
    "digits",
    ["00" * 32, "ff" * 32, "0f" * 31 + "0e", "0f" * 31, "0f" * 33, "zz" * 32, ""],
    ids=["none set", "all set", "127 set", "too short", "too long", "no digits", "empty"],
)
def test_bits_that_no_picture_has_are_not_a_code(service: TestClient, digits: str) -> None:
    answer = service.post("/v1/lookups", content=code_body(digits), headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/not-a-code"


def test_a_code_of_another_version_is_not_a_code_and_is_not_repeated(service: TestClient) -> None:
    answer = service.post("/v1/lookups", content=code_body("0f" * 32, "marker-7c1"), headers=JSON)
    assert answer.json()["type"] == "/problems/not-a-code"
    assert "marker-7c1" not in answer.text


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ('{"codes": {"phash256": {"version": "1", "hex": "x"}}, "marker7c1": 1}', "body"),
        ('{"codes": {"marker7c1": {}}}', "codes.phash256"),
        ('{"codes": {"phash256": {"version": 1, "hex": "marker7c1"}}}', "codes.phash256.version"),
        ('{"url": "https://marker7c1.example/p.jpg"}', "codes"),
    ],
)
def test_what_is_refused_is_named_by_place_and_never_repeated(service: TestClient, body: str, place: str) -> None:
    answer = service.post("/v1/lookups", content=body.encode(), headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/invalid-request"
    assert place in answer.json()["places"]
    assert "marker7c1" not in answer.text


@pytest.mark.parametrize("body", [b"{marker7c1", b"[" * 50_000, b"\xff\xfe", b"null", b'"marker7c1"'])
def test_broken_json_is_refused_without_an_echo(service: TestClient, body: bytes) -> None:
    answer = service.post("/v1/lookups", content=body, headers=JSON)
    assert answer.status_code == 422
    assert "marker7c1" not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b'{"codes": {"phash256": {"version": "1", "hex": "00", "hex": "@"}}}',
        b'{"codes": 1, "\\u0063odes": {"phash256": {"version": "1", "hex": "@"}}}',
        b'{"codes": ' + b"9" * 5000 + b"}",
        b'{"codes": NaN}',
        '{"codes": {"phash256": {"version": "1", "hex": "@"}}}'.encode("utf-16"),
        '{"codes": {"phash256": {"version": "1", "hex": "@"}}}'.encode("utf-32-le"),
    ],
    ids=["member twice", "member twice, once escaped", "5,000 digits", "not a number", "utf-16", "utf-32"],
)
def test_json_that_can_be_read_in_two_ways_is_refused(service: TestClient, body: bytes) -> None:
    digits = picture("chelsea.jpg").fingerprints[0].hex.encode()
    answer = service.post("/v1/lookups", content=body.replace(b"@", digits), headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/invalid-request"


def test_a_byte_order_mark_and_capital_digits_are_read(service: TestClient) -> None:
    body = b"\xef\xbb\xbf" + code_body(picture("chelsea.jpg").fingerprints[0].hex.upper())
    answer = service.post("/v1/lookups", content=body, headers={"Content-Type": "Application/JSON; charset=utf-8"})
    assert [match["codes"] for match in answer.json()["matches"]] == [{"phash256": 0}]


def test_a_parameter_that_a_look_up_does_not_have_is_refused(service: TestClient, chelsea: bytes) -> None:
    assert service.post("/v1/lookups?distance=3", content=chelsea, headers=JPEG).status_code == 422


# --- handles ---------------------------------------------------------------------------------------------------


def test_ids_cannot_be_walked(service: TestClient) -> None:
    assert {service.get(f"/v1/images/{number}").status_code for number in range(1, 300)} == {404}


def test_to_open_a_handle_counts_as_a_look_up(corpus: Path, clock: Clock, chelsea: bytes) -> None:
    app = create_app(corpus, Settings(), clock=clock, serving=Serving(look_ups=Rate(burst=3, per_hour=60)))
    with TestClient(app, base_url="http://127.0.0.1", client=("203.0.113.7", 50_000)) as service:
        first = service.post("/v1/lookups", content=chelsea, headers=JPEG)
        handle = first.json()["matches"][0]["handle"]
        asked = [service.get(f"/v1/images/{one}") for one in (handle, "none", handle)]
        described = service.get("/openapi.json").json()["paths"]["/v1/images/{handle}"]["get"]["responses"]
    assert [answer.status_code for answer in asked] == [200, 404, 429]
    assert [answer.headers["RateLimit"].partition(";t=")[0] for answer in (first, asked[0])] == [
        '"look-ups";r=2',
        '"look-ups";r=1',
    ]
    assert asked[2].json()["type"] == "/problems/rate-limited"
    assert asked[2].headers["Retry-After"] == "60"  # one a minute
    assert {"200", "404", "429"} <= set(described)


def test_a_handle_opens_where_for_a_day_and_not_longer(service: TestClient, chelsea: bytes, clock: Clock) -> None:
    handle = service.post("/v1/lookups", content=chelsea, headers=JPEG).json()["matches"][0]["handle"]
    assert len(handle) >= 22
    answer = service.get(f"/v1/images/{handle}")
    assert answer.status_code == 200
    assert answer.json()["sightings"][0]["page_url"] == "https://blog.example/trip"
    changed = handle[:-2] + ("A" if handle[-2] != "A" else "B") + handle[-1]
    assert service.get(f"/v1/images/{changed}").status_code == 404
    clock.now += timedelta(hours=25)
    assert service.get(f"/v1/images/{handle}").status_code == 404
