"""`hibs signals --registry` over real sockets: asked only when named, after the publisher, and told before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web
from hibs_command import Hibs
from local_web import LocalWeb, local_web

from checker.errors import InputError
from checker.model import Use
from crawler.signals_fetch import fetch_evidence


@pytest.fixture
def server() -> Iterator[LocalWeb]:
    with local_web() as served:
        yield served


def test_hibs_signals_asks_after_the_publisher_and_about_both_ends_of_a_redirect(
    server: LocalWeb, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def leave(_: web.Request) -> web.Response:
        return web.Response(status=301, headers={"Location": "/there.jpg"})

    here, there = server.url("/here.jpg"), server.url("/there.jpg")
    server.handlers["/here.jpg"] = leave
    server.put("/there.jpg", b"x", "image/jpeg")
    entries = {"urls": [{"url": here, "optOut": False}, {"url": there, "optOut": True}]}
    server.put("/spawning", json.dumps(entries), "application/json")
    (tmp_path / "keys").write_text("spawning k1\n")
    evidence = fetch_evidence(
        here,
        contact="",
        allow_addresses=(server.opened,),
        registries=(f"spawning={server.url('/spawning')}",),
        registry_keys=tmp_path / "keys",
    )
    assert server.requests[-1][0] == "/spawning"
    assert [(finding.scope, finding.uses.get(Use.TRAIN_AI)) for finding in evidence.registries] == [
        (here, None),
        (there, "deny"),
    ]
    assert capsys.readouterr().err.startswith(
        f"asking the Spawning registry about {here} and {there}: this and your key"
    )


def test_a_registry_on_this_machine_has_to_be_opened_like_every_address(server: LocalWeb, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("spawning k1\n")
    with pytest.raises(InputError, match=f"--allow-address {server.opened}"):
        fetch_evidence(
            "https://img.example/a.jpg",
            contact="me@example.org",
            allow_addresses=(),
            registries=(f"spawning={server.url('/spawning')}",),
            registry_keys=tmp_path / "keys",
        )
    assert server.requests == []


def test_a_registry_that_was_named_is_asked_and_the_rest_is_fetched_as_ever(
    hibs: Hibs, tmp_path: Path, server: LocalWeb
) -> None:
    server.put("/a.jpg", b"x", "image/jpeg")
    server.put("/registry", json.dumps({"registered": True, "allow_training": False}), "application/json")
    (tmp_path / "keys").write_text("training-data tdr_live_0\n")
    command = ("signals", "--url", server.url("/a.jpg"), "--allow-address", server.opened)
    hibs(*command)
    assert "/registry" not in [path.partition("?")[0] for path, _ in server.requests]
    done = hibs(*command, "--registry", f"training-data={server.url('/registry')}", "--registry-keys", "keys")
    assert done.stdout.splitlines()[0].startswith("decided by   Training Data Registry: registered: true")
    assert "train-ai     deny         Training Data Registry" in done.stdout.splitlines()
    assert done.stderr == (
        f"asking the Training Data Registry about {server.url('/a.jpg')}: "
        f"this and your key go to {server.url('/registry')}\n"
    )


def test_a_registry_that_does_not_answer_leaves_training_unknown(hibs: Hibs, tmp_path: Path, server: LocalWeb) -> None:
    server.put("/a.jpg", b"x", "image/jpeg")
    (tmp_path / "keys").write_text("spawning k1\n")
    done = hibs(
        *("signals", "--url", server.url("/a.jpg"), "--allow-address", server.opened),
        *("--registry", f"spawning={server.url('/gone')}", "--registry-keys", "keys"),
    )
    assert "train-ai     unknown      Spawning registry (unreachable)" in done.stdout.splitlines()
