"""A list that is refused: which row, what is wrong with it and what to do is told, and nothing that was sent."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from typing import Any

import bulk_service
import pytest
from api_service import TestClient
from bulk_lists import PLACE, codes, lines, unrelated
from bulk_service import finished, post

from checker.bulk import rows

pytest_plugins = ("api_service",)
now, ngo, service, four = bulk_service.now, bulk_service.ngo, bulk_service.service, bulk_service.four
MARK = "Eva-7c1"
"""Stands in every row that is refused."""
DE = {"Accept-Language": "de"}
TEXT = {"Content-Type": "text/plain"}


def row(**members: Any) -> bytes:
    return json.dumps({"id": MARK, "codes": unrelated(2), **members}).encode()


def of_code(**code: Any) -> bytes:
    return row(codes={"phash256": code})


@pytest.mark.parametrize(
    ("sent", "detail", "german"),
    [
        (
            b'{"id": "Eva-7c1"',
            "Row 2: it is not one JSON object in UTF-8.",
            "Zeile 2: Das ist nicht genau ein JSON-Objekt in UTF-8.",
        ),
        (
            row().decode().encode("utf-16"),
            "Row 2: it is not one JSON object in UTF-8.",
            "Zeile 2: Das ist nicht genau ein JSON-Objekt in UTF-8.",
        ),
        (
            b'{"id": "Eva-7c1", "id": "b"}',
            "Row 2: a member stands in it twice.",
            "Zeile 2: Ein Feld steht zweimal darin.",
        ),
        (
            row(name=MARK),
            "Row 2: it has to be an object that holds codes, and nothing but id, codes.",
            "Zeile 2: Hier muss ein Objekt stehen, mit codes und mit nichts als id, codes.",
        ),
        (
            of_code(version="1", digits=MARK),
            "Row 2, codes.phash256: it has to be an object that holds version, hex, and nothing but version, hex.",
            "Zeile 2, codes.phash256: Hier muss ein Objekt stehen, mit version, hex und mit nichts als version, hex.",
        ),
        (
            of_code(version=1, hex=MARK),
            "Row 2, codes.phash256: version and hex have to be text.",
            "Zeile 2, codes.phash256: version und hex müssen Text sein.",
        ),
        (
            of_code(version="1", hex=MARK),
            "Row 2, codes.phash256: no picture has this code.",
            "Zeile 2, codes.phash256: Kein Bild hat diesen Code.",
        ),
        (
            row(id=MARK + "x" * (201 - len(MARK))),
            "Row 2, id: a name is text of at most 200 characters.",
            "Zeile 2, id: Ein Name ist Text von höchstens 200 Zeichen.",
        ),
        (
            row() + b" " * 4096,
            "Row 2: it is longer than 4,096 bytes.",
            "Zeile 2: Sie ist länger als 4.096 Bytes.",
        ),
    ],
    ids=["json", "utf-16", "twice", "member", "kind", "text", "code", "name", "long"],
)
def test_a_refused_row_is_told_with_what_is_wrong(
    service: TestClient, ngo: dict[str, str], sent: bytes, detail: str, german: str
) -> None:
    # Without a line feed at its end, because that of UTF-16 has two bytes.
    body = lines({"codes": unrelated(1)}) + sent
    told = [post(service, body, ngo).json(), post(service, body, ngo, **DE).json()]
    assert [one["detail"] for one in told] == [detail, german]
    assert told[0]["next"].startswith("Nothing was looked up. Mend the list and send it again;")
    assert told[1]["next"].startswith("Nichts wurde gesucht. Berichtigen Sie die Liste")
    assert [one["places"] for one in told] == [[detail.partition(":")[0].lower()]] * 2
    assert MARK not in json.dumps(told)


def test_the_number_of_a_row_is_that_of_its_line(service: TestClient, ngo: dict[str, str]) -> None:
    body = lines({"codes": unrelated(1)}) + b"\n" * 1233 + b"{"
    assert post(service, body, ngo).json()["detail"].startswith("Row 1,235: ")


def test_a_list_after_a_byte_order_mark_is_answered(service: TestClient, ngo: dict[str, str]) -> None:
    place = finished(service, BOM_UTF8 + lines({"id": "a", "codes": codes("chelsea.jpg")}), ngo)
    (line,) = service.get(f"{place}/results", headers=ngo).text.splitlines()
    assert (json.loads(line)["id"], json.loads(line)["found"]) == ("a", True)


def test_a_list_without_rows_is_told_to_have_none(service: TestClient, ngo: dict[str, str]) -> None:
    told = post(service, BOM_UTF8 + b"\n", ngo).json()
    assert (told["places"], told["detail"]) == (["rows"], "This list has no row.")


@pytest.mark.parametrize("media_type", ["text/plain", "application/json", "image/jpeg", ""])
def test_another_type_is_told_which_it_has_to_be(service: TestClient, ngo: dict[str, str], media_type: str) -> None:
    kind = {"Content-Type": media_type}
    refused = post(service, lines({"codes": unrelated(1)}), ngo, **kind)
    assert refused.status_code == 415
    told = f"{refused.json()['detail']} {refused.json()['next']}"
    for name in ("application/x-ndjson", "application/ndjson", "application/jsonl"):
        assert name in told
    assert "picture" not in told
    assert "application/x-ndjson" in post(service, b"", ngo, **{**kind, **DE}).json()["detail"]


@pytest.mark.parametrize("media_type", ["application/x-ndjson", "application/ndjson", "application/jsonl; a=b"])
def test_each_of_these_types_is_taken(service: TestClient, ngo: dict[str, str], media_type: str) -> None:
    kind = {"Content-Type": media_type}
    assert post(service, lines({"codes": unrelated(1)}), ngo, **kind).status_code == 202


@pytest.mark.parametrize(
    ("why", "detail"),
    [
        ("?purpose=journalism&case=AZ-2041", "Your key is not for this purpose."),
        (
            "?purpose=complaint&case=2041-geheim",
            "This case number does not have the form that your key needs, "
            "or it only fills the field, as test or 000 do.",
        ),
    ],
)
def test_what_the_key_does_not_allow_is_told_with_where_to_look(
    service: TestClient, ngo: dict[str, str], why: str, detail: str
) -> None:
    told = post(service, b"", ngo, why).json()
    assert told["detail"] == detail
    assert told["next"].startswith("The key fixes the purposes and the form of case numbers.")
    assert not any(word in json.dumps(told) for word in ("AZ-", "access-request", "geheim")), "what a thief would need"


def test_both_at_once_are_two_sentences(service: TestClient, ngo: dict[str, str]) -> None:
    told = post(service, b"", ngo, "?purpose=journalism&case=1", **DE).json()
    assert told["places"] == ["purpose", "case"]
    assert told["detail"].startswith(
        "Ihr Schlüssel gilt nicht für diesen Zweck. Dieses Aktenzeichen hat nicht die Form"
    )
    assert told["next"].startswith("Der Schlüssel legt die Zwecke und die Form der Aktenzeichen fest.")


def test_a_list_that_is_too_large_is_told_the_limit(
    service: TestClient, ngo: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rows.BYTES_MAX == 64 * 2**20
    monkeypatch.setattr("checker.bulk.jobs.BYTES_MAX", 100)
    refused = post(service, lines({"codes": unrelated(1)}), ngo)
    assert refused.status_code == 413
    assert refused.json()["detail"] == "This list is larger than 64 MiB, the most that is read here."
    assert refused.json()["next"] == "Send it as several lists."


def test_whoever_has_too_many_lists_open_is_told_so(
    service: TestClient, ngo: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("checker.bulk.jobs.OPEN_MAX", 0)
    refused = post(service, lines({"codes": unrelated(1)}), ngo)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "30")
    assert refused.json()["detail"] == "10 lists of your key are open already."
    assert refused.json()["next"] == "Wait until one of them is answered, or delete one."


def test_openapi_describes_the_limits_of_a_row(service: TestClient) -> None:
    path = service.get("/openapi.json").json()["paths"][PLACE]
    schema = path["post"]["requestBody"]["content"]["application/x-ndjson"]["schema"]
    assert "at most 200 characters" in schema["description"]
    assert "at most 4,096 bytes a line, 64 MiB in all" in schema["description"]
