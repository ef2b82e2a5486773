"""`hibs signals` with the saved answers of registries, and what it refuses; asking is in tests/crawler."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hibs_command import Hibs

URL = "https://img.example/a.jpg"


def test_a_saved_answer_is_read_without_a_network(hibs: Hibs, tmp_path: Path) -> None:
    (tmp_path / "answer.json").write_text(json.dumps({"urls": [{"url": URL, "optOut": True}]}))
    (tmp_path / "declaration.json").write_text('{"iscc": "ISCC:A", "search": "false"}')
    done = hibs(
        *("signals", "--url", URL, "--registry-answer", "spawning=answer.json"),
        *("--registry-answer", "tdm-ai=declaration.json", "--json"),
    )
    document = json.loads(done.stdout)
    assert document["verdict"] == {
        "crawl": "unspecified",
        "train-ai": "deny",
        "train-genai": "deny",
        "tdm": "unspecified",
        "search": "deny",
        "index": "unspecified",
        "all": "unspecified",
    }
    assert [(one["signal"], one["scope"]) for one in document["findings"]] == [
        ("spawning-registry", URL),
        ("tdm-ai", "ISCC:A"),
    ]
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--registry", "spawning", "--robots", "x"), "give one or the other"),
        (("--registry", "spawning", "--data", "."), "give one or the other"),
        (("--registry", "spawning", "--contact", "me@example.org"), "registry spawning is asked with a key"),
        (("--registry-answer", "x"), "give it as NAME=FILE"),
        (("--registry-answer", "x=keys"), "known are spawning, training-data, tdm-ai"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(hibs: Hibs, tmp_path: Path, arguments: tuple[str, ...], why: str) -> None:
    (tmp_path / "keys").write_text("")
    done = hibs("signals", "--url", URL, *arguments, exit_code=2)
    assert why in done.stderr
    assert done.stderr.count("\n") == 1
