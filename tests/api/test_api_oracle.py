"""No answer tells whether a picture was opted out before, nor which numbers exist (check C4).

How long answers take is measured by benchmarks/oracle.py; a test that goes by the clock says nothing.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from api_service import JPEG, Opener, TestClient

from checker.settings import Settings

pytest_plugins = ("api_service",)
JSON = {"Content-Type": "application/json"}
TIMES = 50
MANY_A_DAY = Settings(opt_outs_per_day_max=10_000)


def opt_out_of(seed: int) -> bytes:
    """The body of an opt-out by a code as a picture has it."""
    bits = sum(1 << place for place in random.Random(seed).sample(range(256), 128))
    return json.dumps({"codes": {"phash256": {"version": "1", "hex": bits.to_bytes(32).hex()}}}).encode()


def shape(value: object) -> object:
    """Names and types, without what stands there."""
    if isinstance(value, dict):
        return {name: shape(of_it) for name, of_it in value.items()}
    return type(value).__name__


def say_no(service: TestClient, body: bytes) -> tuple[int, list[str], object, bool]:
    """What an answer shows beside numbers and proofs."""
    answer = service.post("/v1/opt-outs", content=body, headers=JSON)
    return answer.status_code, sorted(answer.headers), shape(answer.json()), answer.json()["held"]


def test_opt_outs_of_a_known_picture_and_of_new_ones_are_answered_alike(open_service: Opener, corpus: Path) -> None:
    service = open_service(corpus, MANY_A_DAY)
    known = opt_out_of(0)
    first = say_no(service, known)
    assert (first[0], first[3]) == (201, False)
    for seed in range(1, TIMES + 1):
        assert say_no(service, known) == first
        assert say_no(service, opt_out_of(seed)) == first


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
@pytest.mark.parametrize(
    ("method", "tail"), [("GET", ""), ("GET", "/receipt"), ("DELETE", ""), ("DELETE", "?erase=true")]
)
def test_an_unknown_number_and_a_wrong_code_get_the_same_bytes_everywhere(
    service: TestClient, chelsea: bytes, method: str, tail: str, accept: str
) -> None:
    mine, other = (service.post("/v1/opt-outs", content=chelsea, headers=JPEG).json() for _ in range(2))
    erased = service.post("/v1/opt-outs", content=chelsea, headers=JPEG).json()
    gone = {"Authorization": f"Receipt {erased['withdraw_code']}"}
    assert service.delete(f"/v1/opt-outs/{erased['number']}?erase=true", headers=gone).status_code == 200
    tried = [
        ("0000-0000", mine["withdraw_code"]),
        (mine["number"], "hibs-w1-" + "0" * 32),
        (mine["number"], other["withdraw_code"]),
        (erased["number"], mine["withdraw_code"]),
        ("0000-0000", "what ever"),
    ]
    answers = [
        service.request(
            method, f"/v1/opt-outs/{number}{tail}", headers={"Authorization": f"Receipt {code}", "Accept": accept}
        )
        for number, code in tried
    ]
    assert {(answer.status_code, answer.content, tuple(answer.headers.items())) for answer in answers} == {
        (404, answers[0].content, tuple(answers[0].headers.items()))
    }
    own = {"Authorization": f"Receipt {mine['withdraw_code']}"}
    assert service.get(f"/v1/opt-outs/{mine['number']}", headers=own).json()["state"] == "recorded"
