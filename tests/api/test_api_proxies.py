"""Who asks, behind a reverse proxy."""

from __future__ import annotations

from pathlib import Path

import pytest
from api_service import JPEG, Clock
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from api.app import Serving, create_app
from api.proxies import Proxies
from checker.errors import InputError
from checker.settings import Settings

pytest_plugins = ("api_service",)
OURS = Proxies.parse(["10.0.0.0/24", "127.0.0.1", "2001:db8:ff::/48"])


def asker(peer: str, *headers: tuple[str, str], proxies: Proxies = OURS) -> str:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    resolved = proxies.resolve({"type": "http", "scheme": "http", "headers": raw, "client": (peer, 1)})
    return str(resolved["client"][0])


def xff(value: str) -> tuple[str, str]:
    return ("X-Forwarded-For", value)


def forwarded(value: str) -> tuple[str, str]:
    return ("Forwarded", value)


def test_by_default_no_header_is_believed() -> None:
    given_headers = (xff("198.51.100.1"), forwarded("for=198.51.100.1"))
    assert asker("10.0.0.2", *given_headers, proxies=Proxies()) == "10.0.0.2"


def test_a_peer_that_is_no_proxy_is_the_asker_whatever_it_writes() -> None:
    assert asker("203.0.113.7", xff("198.51.100.1")) == "203.0.113.7"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (xff("203.0.113.7"), "203.0.113.7"),
        (xff("198.51.100.1, 203.0.113.7"), "203.0.113.7"),
        (xff("198.51.100.1, 203.0.113.7, 10.0.0.9"), "203.0.113.7"),
        (xff("10.0.0.5,10.0.0.9"), "10.0.0.5"),
        (xff("203.0.113.7:4711"), "203.0.113.7"),
        (xff("[2001:db8::7]:4711"), "2001:db8::7"),
        (xff("2001:db8::7"), "2001:db8::7"),
        (xff("203.0.113.7, 2001:db8:ff::1"), "203.0.113.7"),
        # RFC 7239 4, the examples of that clause.
        (forwarded("for=192.0.2.43, for=198.51.100.17"), "198.51.100.17"),
        (forwarded('For="[2001:db8:cafe::17]:4711"'), "2001:db8:cafe::17"),
        (forwarded("for=192.0.2.60;proto=http;by=203.0.113.43"), "192.0.2.60"),
        (forwarded('for=198.51.100.1, for=203.0.113.7;host="a,b", for=10.0.0.9'), "203.0.113.7"),
    ],
)
def test_the_rightmost_address_that_is_no_proxy_of_ours_asks(header: tuple[str, str], expected: str) -> None:
    assert asker("10.0.0.2", header) == expected


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (xff(""),),
        (xff("unknown"),),
        (xff("203.0.113.7, evil"),),
        (forwarded("for=_hidden"),),  # RFC 7239 6.3
        (forwarded("for=unknown"),),  # RFC 7239 6.2
        (forwarded("by=10.0.0.2"),),
        (forwarded('for=1.2.3.4;host="x, for=9.9.9.9;y='),),
        (xff("198.51.100.1"), forwarded("for=203.0.113.7")),
    ],
    ids=[
        "none",
        "empty",
        "no address",
        "broken on the right",
        "hidden",
        "unknown",
        "no for",
        "open quote",
        "two minds",
    ],
)
def test_in_doubt_the_proxy_itself_is_the_asker(headers: tuple[tuple[str, str], ...]) -> None:
    assert asker("10.0.0.2", *headers) == "10.0.0.2"


def test_a_quoted_host_cannot_pass_for_an_address() -> None:
    assert asker("10.0.0.2", forwarded('for=203.0.113.7;host="x, for=9.9.9.9;y=", for=10.0.0.9')) == "203.0.113.7"


def test_several_lines_are_one_list() -> None:
    assert asker("10.0.0.2", xff("198.51.100.1"), xff("203.0.113.7")) == "203.0.113.7"


def test_both_fields_may_say_the_same() -> None:
    assert asker("10.0.0.2", xff("203.0.113.7"), forwarded("for=203.0.113.7")) == "203.0.113.7"


@given(
    left=st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=80),
    name=st.sampled_from(["X-Forwarded-For", "Forwarded"]),
)
def test_whatever_the_sender_wrote_before_he_stays_himself_or_the_proxy(left: str, name: str) -> None:
    """The proxy appends: with a comma to the line that came, as RFC 7239 4 and every proxy have it."""
    own = "203.0.113.7" if name == "X-Forwarded-For" else "for=203.0.113.7"
    assert asker("10.0.0.2", (name, f"{left}, {own}")) in ("203.0.113.7", "10.0.0.2")


@pytest.mark.parametrize("text", ["", "10.0.0.0/33", "10.0.0.1/24", "proxy.example", "0.0.0.0/0", "::/0"])
def test_a_proxy_that_is_no_network_or_everybody_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--proxy"):
        Proxies.parse([text])


def test_the_limits_count_whom_the_proxy_names_and_pages_speak_of_its_scheme(
    corpus: Path, clock: Clock, chelsea: bytes
) -> None:
    limits = Settings(opt_outs_per_day_max=1)
    app = create_app(corpus, limits, clock=clock, serving=Serving(proxies=OURS))
    with TestClient(app, base_url="http://127.0.0.1", client=("10.0.0.2", 50_000)) as client:

        def opt_out(address: str) -> int:
            headers = {**JPEG, "X-Forwarded-For": address}
            return client.post("/v1/opt-outs", content=chelsea, headers=headers).status_code

        assert [opt_out("203.0.113.7"), opt_out("203.0.113.8"), opt_out("1.1.1.1, 203.0.113.7")] == [201, 201, 429]
        page = client.get("/operators", headers={"X-Forwarded-Proto": "https"}).text
    assert "https://127.0.0.1" in page


def test_without_a_named_proxy_two_hundred_invented_addresses_are_one(
    corpus: Path, clock: Clock, chelsea: bytes
) -> None:
    """200 opt-outs with 200 different `X-Forwarded-For`, then from 200 addresses of one /64: at most 20 of each."""
    app = create_app(corpus, Settings(), clock=clock)
    code = {"codes": {"phash256": {"version": "1", "hex": "0f" * 32}}}
    with TestClient(app, base_url="http://127.0.0.1", client=("198.51.100.9", 1)) as client:
        answers = [
            client.post("/v1/opt-outs", json=code, headers={"X-Forwarded-For": f"203.0.113.{number}"})
            for number in range(200)
        ]
    assert sorted({answer.status_code for answer in answers}) == [201, 429]
    assert sum(answer.status_code == 201 for answer in answers) == 20
    assert all(answer.headers["Retry-After"].isdecimal() for answer in answers if answer.status_code == 429)
