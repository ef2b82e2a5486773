"""Asking registries, over real sockets: what is sent, what is told before, and what every failure leaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from local_web import Handler, LocalWeb, local_web

from checker.errors import InputError
from checker.model import Finding, Stance, Use
from checker.signals.verdict import combine, with_doubt
from crawler.fetch import HttpFetcher
from crawler.guard import Guard, parse_opened
from crawler.registries import (
    REQUESTS_MAX,
    ChosenRegistry,
    ask_registries,
    choose_registries,
    read_registry_keys,
)
from crawler.settings import CrawlSettings
from crawler.turns import Clock, Turns

SETTINGS = CrawlSettings(contact="me@example.org", delay_local_s=0.0)
KEYS = {"spawning": "k1", "training-data": "tdr_live_0"}
A, B = "https://img.example/a.jpg", "https://img.example/b.jpg"


@pytest.fixture
def server() -> Iterator[LocalWeb]:
    with local_web() as served:
        yield served


def answers(body: object, status: int = 200, **headers: str) -> Handler:
    """A registry that always says the same."""

    async def give(_: web.Request) -> web.Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return web.Response(body=raw, status=status, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return give


def chosen(server: LocalWeb, *names: str) -> tuple[ChosenRegistry, ...]:
    return choose_registries([f"{name}={server.url(f'/{name}')}" for name in names], keys=KEYS)


def ask(
    server: LocalWeb,
    urls: list[str],
    *names: str,
    settings: CrawlSettings = SETTINGS,
    told: list[str] | None = None,
    opened: bool = True,
) -> dict[str, tuple[Finding, ...]]:
    """Ask registries that answer at /NAME on the local server."""
    guard = Guard(opened=parse_opened([server.opened] if opened else []))
    tell = (told if told is not None else []).append

    async def run() -> dict[str, tuple[Finding, ...]]:
        async with HttpFetcher(settings, guard) as fetcher:
            turns = Turns(fetcher, settings, guard, Clock(), asyncio.Event())
            return await ask_registries(urls, chosen(server, *names), turns=turns, tell=tell)

    return asyncio.run(run())


def training(findings: tuple[Finding, ...]) -> Stance:
    verdict = with_doubt(combine(findings))
    assert verdict.uses[Use.TRAIN_AI] is verdict.uses[Use.TRAIN_GENAI]
    return verdict.uses[Use.TRAIN_AI]


def test_an_opt_out_is_found_and_no_entry_says_nothing(server: LocalWeb) -> None:
    got: list[tuple[str, bytes, str | None]] = []

    async def take(request: web.Request) -> web.Response:
        got.append((request.method, await request.read(), request.headers.get("Authorization")))
        return web.json_response({"urls": [{"url": A, "optOut": True}, {"url": B, "optOut": False}]})

    server.handlers["/spawning"] = take
    said = ask(server, [A, B], "spawning")
    assert {url: training(findings) for url, findings in said.items()} == {A: Stance.DENY, B: Stance.UNSPECIFIED}
    assert got == [("POST", f"{A}\n{B}".encode(), "API k1")]
    assert server.requests[0][1]["User-Agent"] == "HaveIBeenScrapedBot/0.1.0 (+me@example.org)"
    assert server.requests[0][1]["Content-Type"] == "text/plain"


def test_the_training_data_registry_is_asked_one_address_at_a_time(server: LocalWeb) -> None:
    server.handlers["/training-data"] = answers({"registered": True, "allow_training": False})
    said = ask(server, [A, B], "training-data")
    assert [training(findings) for findings in said.values()] == [Stance.DENY, Stance.DENY]
    assert [path for path, _ in server.requests] == [
        "/training-data?url=https%3A%2F%2Fimg.example%2Fa.jpg",
        "/training-data?url=https%3A%2F%2Fimg.example%2Fb.jpg",
    ]
    assert server.requests[0][1]["X-API-Key"] == "tdr_live_0"
    assert server.most_at_once == 1


def test_a_refusal_in_one_of_two_registries_counts(server: LocalWeb) -> None:
    server.handlers["/spawning"] = answers({"urls": [{"url": A, "optOut": False}]})
    server.handlers["/training-data"] = answers({"registered": True, "allow_training": False})
    said = ask(server, [A], "spawning", "training-data")
    assert [finding.signal for finding in said[A]] == ["spawning-registry", "training-data-registry"]
    assert training(said[A]) is Stance.DENY


def test_what_leaves_the_machine_is_told_before_and_never_the_key(server: LocalWeb) -> None:
    told: list[str] = []
    told_at_request: list[int] = []

    async def take(_: web.Request) -> web.Response:
        told_at_request.append(len(told))
        return web.json_response({"urls": []})

    server.handlers["/spawning"] = take
    ask(server, [A], "spawning", told=told)
    ask(server, [A, B], "spawning", told=told)
    ask(server, [A, B, f"{B}?2"], "spawning", told=told)
    place = server.url("/spawning")
    assert told == [
        f"asking the Spawning registry about {A}: this and your key go to {place}",
        f"asking the Spawning registry about {A} and {B}: this and your key go to {place}",
        f"asking the Spawning registry about 3 addresses, among them {A} and {B}: this and your key go to {place}",
    ]
    assert told_at_request == [1, 2, 3]
    assert "k1" not in repr(chosen(server, "spawning"))


def test_nothing_is_sent_where_no_registry_was_named(server: LocalWeb) -> None:
    assert ask(server, [A]) == {A: ()}
    assert server.requests == []


def test_secrets_in_an_address_stay_here_and_the_answer_is_for_the_address_as_given(server: LocalWeb) -> None:
    given = "https://me:secret@img.example/a.jpg?w=2&X-Amz-Signature=secret#secret"
    server.handlers["/training-data"] = answers({"registered": True, "allow_training": False})
    told: list[str] = []
    said = ask(server, [given], "training-data", told=told)
    assert [path for path, _ in server.requests] == ["/training-data?url=https%3A%2F%2Fimg.example%2Fa.jpg%3Fw%3D2"]
    assert "secret" not in told[0]
    assert list(said) == [given]
    assert training(said[given]) is Stance.DENY
    assert said[given][0].scope == "https://img.example/a.jpg?w=2"


@pytest.mark.parametrize("url", ["", "a.jpg", "file:///etc/passwd", f"https://img.example/{'a' * 2048}", "\udce9"])
def test_what_is_no_address_is_unknown_and_not_sent(server: LocalWeb, url: str) -> None:
    said = ask(server, [url], "spawning")
    assert training(said[url]) is Stance.UNKNOWN
    assert said[url][0].unreachable
    assert server.requests == []


@pytest.mark.parametrize("status", [301, 400, 401, 402, 403, 404, 408, 429, 500, 503])
def test_an_error_leaves_the_address_unknown(server: LocalWeb, status: int) -> None:
    server.handlers["/spawning"] = answers({"urls": [{"url": A, "optOut": False}]}, status, Location="/elsewhere")
    (finding,) = ask(server, [A], "spawning")[A]
    assert (finding.raw, finding.unreachable) == (f"HTTP {status}", True)
    assert training((finding,)) is Stance.UNKNOWN
    assert [path for path, _ in server.requests] == ["/spawning"]  # a redirect is not followed: the key would go along


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"urls": [{"url": "https://img.exam'])
def test_what_cannot_be_read_is_malformed(server: LocalWeb, body: bytes) -> None:
    server.handlers["/spawning"] = answers(body)
    (finding,) = ask(server, [A], "spawning")[A]
    assert (finding.malformed, finding.unreachable) == (True, False)
    assert training((finding,)) is Stance.UNKNOWN


def test_an_address_that_the_answer_leaves_out_is_unknown(server: LocalWeb) -> None:
    server.handlers["/spawning"] = answers({"urls": [{"url": A, "optOut": True}]})
    said = ask(server, [A, B], "spawning")
    assert [training(findings) for findings in said.values()] == [Stance.DENY, Stance.UNKNOWN]


async def cut_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b'{"urls": [')
    assert request.transport
    request.transport.close()
    return response


async def too_much(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(3):
        await response.write(b" " * 65_536)
    return response


async def silent(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize(
    ("handler", "reason"), [(cut_off, "bad-response"), (too_much, "too-large"), (silent, "timeout")]
)
def test_a_broken_an_endless_and_a_missing_answer_are_unknown(server: LocalWeb, handler: Handler, reason: str) -> None:
    server.handlers["/training-data"] = handler
    (finding,) = ask(server, [A], "training-data", settings=replace(SETTINGS, request_s_max=0.3))[A]
    assert (finding.raw, finding.unreachable) == (reason, True)
    assert training((finding,)) is Stance.UNKNOWN


def test_the_guard_stands_before_a_registry_too(server: LocalWeb) -> None:
    (finding,) = ask(server, [A], "spawning", opened=False)[A]
    assert (finding.raw, finding.unreachable) == ("blocked-address", True)
    assert server.requests == []


def test_a_registry_that_asks_for_a_pause_is_left_alone_and_the_rest_is_unknown(server: LocalWeb) -> None:
    server.handlers["/training-data"] = answers(b"", 429, Retry_After="3600")
    said = ask(server, [A, B], "training-data")
    assert [findings[0].raw for findings in said.values()] == ["HTTP 429", "not asked, after HTTP 429"]
    assert all(training(findings) is Stance.UNKNOWN for findings in said.values())
    assert len(server.requests) == 1


def test_a_refused_key_ends_the_asking_and_an_odd_address_does_not(server: LocalWeb) -> None:
    for status, requests in ((401, 1), (400, 2)):
        server.requests.clear()
        server.handlers["/training-data"] = answers(b"", status)
        said = ask(server, [A, B], "training-data")
        assert all(training(findings) is Stance.UNKNOWN for findings in said.values())
        assert len(server.requests) == requests


def test_many_addresses_go_in_bounded_requests(server: LocalWeb) -> None:
    sizes: list[int] = []

    async def take(request: web.Request) -> web.Response:
        urls = (await request.text()).split("\n")
        sizes.append(len(urls))
        return web.json_response({"urls": [{"url": url, "optOut": url.endswith("/7")} for url in urls]})

    server.handlers["/spawning"] = take
    said = ask(server, [f"https://img.example/{number}" for number in range(2_500)], "spawning")
    assert sizes == [1_000, 1_000, 500]
    refused = [url for url, findings in said.items() if training(findings) is Stance.DENY]
    assert refused == ["https://img.example/7"]


def test_more_than_a_hundred_requests_are_not_made(server: LocalWeb) -> None:
    server.handlers["/training-data"] = answers({"registered": False})
    said = ask(server, [f"https://img.example/{number}" for number in range(REQUESTS_MAX + 1)], "training-data")
    *asked, last = said.values()
    assert len(server.requests) == REQUESTS_MAX
    assert {training(findings) for findings in asked} == {Stance.UNSPECIFIED}
    assert training(last) is Stance.UNKNOWN
    assert last[0].raw == "not asked: more than 100 addresses at once"


def test_a_key_file_has_a_name_and_a_key_a_line(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# mine\n\nspawning  k1\r\ntraining-data tdr_live_0\n")
    assert read_registry_keys(file) == KEYS


@pytest.mark.parametrize(
    "text",
    ["secret", "spawning", "spawning a secret", "sporning secret", "spawning a\nspawning secret", "\x1b spawning"],
)
def test_a_line_of_another_form_is_named_and_not_repeated(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys"
    file.write_text(text)
    with pytest.raises(InputError, match=r"keys line \d is not `NAME KEY` with one of spawning") as caught:
        read_registry_keys(file)
    assert "secret" not in str(caught.value)


def test_a_key_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    for content, why in (
        (None, "cannot read"),
        (b"spawning \xe9", "cannot read"),
        (b"#" * 70_000, "larger than 64 KiB"),
    ):
        file = tmp_path / "keys"
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(InputError, match=why):
            read_registry_keys(file)


@pytest.mark.parametrize(
    ("named", "why"),
    [
        (["sporning"], "known are spawning, training-data"),
        (["tdm-ai"], "no registry that can be asked"),
        (["spawning", "spawning=https://a.example/"], "named twice"),
        (["spawning="], "names no address"),
        (["spawning=a.example"], "names no address"),
        (["spawning=ftp://a.example/"], "names no address"),
        (["spawning=https://me:x@a.example/"], "no user name"),
        (["spawning=https://a.example/?q=1"], "no user name, query"),
        (["spawning=http://a.example/"], "give an https:// address"),
        (["spawning=http://127.a.example/"], "give an https:// address"),
    ],
)
def test_a_registry_that_cannot_be_asked_is_refused_before_anything_is_sent(named: list[str], why: str) -> None:
    with pytest.raises(InputError, match=why):
        choose_registries(named, keys=KEYS)


def test_a_registry_without_a_key_says_where_to_put_one() -> None:
    with pytest.raises(InputError, match="a line `spawning KEY` into a file and give it with --registry-keys FILE"):
        choose_registries(["spawning"], keys={})
