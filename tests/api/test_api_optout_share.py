"""How many photos one connection may opt out in a day, what is told past that, and what a refused photo costs."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from api_service import IMAGES, JPEG, Clock, Opener, TestClient, picture
from PIL import Image

from api.schemas.optouts import HolderTold, RecordedTold
from checker.settings import Settings

pytest_plugins = ("api_service",)
JSON = {"Content-Type": "application/json"}


def codes(name: str) -> dict[str, object]:
    return {"codes": {"phash256": {"version": "1", "hex": picture(name).fingerprints[0].hex}}}


def opted_out(service: TestClient, count: int) -> Any:
    body = json.dumps({"pictures": [codes("coffee.jpg") for _ in range(count)]})
    return service.post("/v1/opt-outs", content=body, headers=JSON)


def test_more_photos_than_any_day_allows_are_told_how_many_may_be_sent(service: TestClient) -> None:
    answer = opted_out(service, 25)
    told = answer.json()
    assert (answer.status_code, told["type"], told["places"]) == (422, "/problems/invalid-request", ["pictures"])
    assert "Retry-After" not in answer.headers, "tomorrow it is the same"
    assert told["detail"] == "From one connection a no for 20 photos a day is taken, and this is a no for 25."
    assert told["next"].startswith("Send 20 of them today")
    assert opted_out(service, 20).status_code == 201
    assert opted_out(service, 5).status_code == 429


def test_whoever_has_some_left_is_told_so(service: TestClient) -> None:
    assert opted_out(service, 15).status_code == 201
    answer = opted_out(service, 10)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "35820")  # 14:03 UTC: until midnight
    assert answer.json()["detail"] == "These are more photos than your connection has left today, out of 20."
    assert answer.json()["next"] == "Send fewer now, or all of them in 10 hours."
    assert opted_out(service, 5).status_code == 201
    assert opted_out(service, 1).json()["detail"].startswith("Many opt-outs came from your connection today.")


def plain() -> bytes:
    Image.new("RGB", (64, 64), "white").save(out := io.BytesIO(), "PNG")
    return out.getvalue()


def test_whoever_has_used_the_day_up_is_refused_before_a_photo_is_decoded(service: TestClient, chelsea: bytes) -> None:
    assert opted_out(service, 20).status_code == 201
    for photo in (chelsea[:900], plain(), chelsea):
        answer = service.post("/v1/opt-outs", content=photo, headers=JPEG)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "35820")


@pytest.mark.parametrize("broken", [lambda: (IMAGES / "chelsea.jpg").read_bytes()[:900], plain])
def test_photos_that_cannot_be_opted_out_count_as_look_ups(
    open_service: Opener, corpus: Path, chelsea: bytes, broken: Callable[[], bytes]
) -> None:
    service = open_service(corpus)
    # The burst of one address, of which all but two are used.
    for _ in range(298):
        asked = service.post("/v1/lookups", content=b"{}", headers=JSON)
        assert asked.status_code == 422
    statuses = [service.post("/v1/opt-outs", content=broken(), headers=JPEG).status_code for _ in range(3)]
    assert statuses == [422, 422, 429]
    late = service.post("/v1/opt-outs", content=chelsea, headers=JPEG)
    assert late.headers["RateLimit-Policy"].startswith('"look-ups"')
    assert opted_out(service, 1).status_code == 201, "codes are not decoded"


def test_past_the_budget_of_all_opt_outs_are_held_and_hide_all_the_same(
    open_service: Opener, corpus: Path, chelsea: bytes, coffee: bytes, clock: Clock
) -> None:
    service = open_service(corpus, Settings(opt_outs_of_all_per_day_max=2))
    answers = [service.post("/v1/opt-outs", content=body, headers=JPEG) for body in (coffee, coffee, chelsea)]
    assert [a.status_code for a in answers] == [201] * 3
    assert [a.json()["held"] for a in answers] == [False, False, True]
    assert [list(a.json()) for a in answers] == [list(answers[0].json())] * 3
    held = answers[2].json()
    RecordedTold.model_validate(held)
    assert held["receipt"] is None
    (match,) = service.post("/v1/lookups", content=chelsea, headers=JPEG).json()["matches"]
    assert match["where"] == "withheld"
    header = {"Authorization": f"Receipt {held['withdraw_code']}"}
    status = service.get(f"/v1/opt-outs/{held['number']}", headers=header).json()
    HolderTold.model_validate(status)
    assert (status["state"], status["index"]) == ("held", None)
    assert "more than 2 photos were opted out that day" in status["reason"]
    early = service.get(f"/v1/opt-outs/{held['number']}/receipt", headers=header)
    assert early.status_code == 404
    assert early.json()["detail"] == "There is no receipt yet, because no person has let this no through."
    assert service.get("/v1/stats").json()["log"]["size"] == 2
    clock.now += timedelta(days=1)
    assert service.post("/v1/opt-outs", content=coffee, headers=JPEG).json()["held"] is False
