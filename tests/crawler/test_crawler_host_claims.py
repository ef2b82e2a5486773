"""Reading what hosts publish about an opt-out, over real sockets: a web server and a name server on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from aiohttp import web
from local_dns import LocalDns, local_dns
from local_web import LocalWeb, local_web

from checker.errors import InputError
from checker.optout.claims import Published
from crawler.host_claims import read_host_claims

PATH = "/.well-known/hibs-opt-out.txt"
RECORD = "hibs-opt-out-v1 uvCGd0gdlclbIyMrLtjm0FHFsaxJKm0tN_gm4ShlTAc uses=tdm photos.localhost/"


@pytest.fixture
def server() -> Iterator[LocalWeb]:
    with local_web() as served:
        yield served


@pytest.fixture
def names() -> Iterator[LocalDns]:
    with local_dns() as served:
        yield served


def read(host: str, server: LocalWeb | None = None, names: LocalDns | None = None) -> tuple[Published, ...]:
    opened = (server.opened,) if server else ()
    return read_host_claims([host], allow_addresses=opened, dns_server=names.server if names else "")[host]


# --- the file --------------------------------------------------------------------------------------------------


def test_the_file_of_a_host_is_read_and_robots_txt_is_not_asked(server: LocalWeb) -> None:
    server.put("/robots.txt", "User-agent: *\nDisallow: /\n", "text/plain")
    server.put(PATH, f"# our opt-outs\r\n{RECORD}\r\n", "text/plain")
    host = f"photos.localhost:{server.port}"
    assert read(host, server) == (Published(f"http://{host}{PATH}", records=(RECORD,)),)
    assert [path for path, _ in server.requests] == [PATH]
    assert "HaveIBeenScrapedBot/" in server.requests[0][1]["User-Agent"]


def test_a_host_without_the_file_says_so(server: LocalWeb) -> None:
    (found,) = read(f"localhost:{server.port}", server)
    assert (found.records, found.trouble) == ((), "status 404")


def test_a_redirect_is_not_followed_not_even_on_the_same_host(server: LocalWeb) -> None:
    async def leave(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    server.handlers[PATH] = leave
    server.put("/elsewhere", RECORD, "text/plain")
    (found,) = read(f"localhost:{server.port}", server)
    assert (found.records, found.trouble) == ((), "it redirects to /elsewhere, and no redirect is followed")
    assert [path for path, _ in server.requests] == [PATH]


def test_a_file_that_is_too_large_is_not_read(server: LocalWeb) -> None:
    server.put(PATH, f"{RECORD}\n" + "x" * 65_536, "text/plain")
    (found,) = read(f"localhost:{server.port}", server)
    assert (found.records, found.trouble) == ((), "too-large")


def test_bytes_that_are_no_text_hold_no_record(server: LocalWeb) -> None:
    server.put(PATH, b"\xff\xfe\x00" * 100, "text/plain")
    assert read(f"localhost:{server.port}", server)[0].records == ()


def test_an_address_that_was_not_opened_is_not_contacted(server: LocalWeb) -> None:
    (found,) = read(f"127.0.0.1:{server.port}")
    assert found == Published(f"https://127.0.0.1:{server.port}{PATH}", trouble="blocked-address")
    assert server.requests == []


def test_a_name_that_points_inwards_is_not_contacted(server: LocalWeb, names: LocalDns) -> None:
    names.put("photos.example", "A", "127.0.0.1")
    found, _ = read("photos.example", server, names)
    assert found == Published(f"https://photos.example{PATH}", trouble="blocked-address")
    assert server.requests == []


def test_a_host_that_only_speaks_plain_http_proves_nothing_by_its_file(server: LocalWeb, names: LocalDns) -> None:
    names.put("photos.example", "A", "127.0.0.1")
    server.put(PATH, RECORD, "text/plain")
    found, _ = read(f"photos.example:{server.port}", server, names)
    assert found == Published(f"https://photos.example:{server.port}{PATH}", trouble="unreachable")


# --- the TXT record --------------------------------------------------------------------------------------------


def test_a_txt_record_is_read_among_others(names: LocalDns) -> None:
    names.put("_hibs-opt-out.photos.example", "TXT", '"v=spf1 -all"', f'"{RECORD}"')
    _, found = read("photos.example", names=names)
    assert found == Published("TXT _hibs-opt-out.photos.example", records=(RECORD,))
    assert "TXT _hibs-opt-out.photos.example." in names.asked


def test_the_strings_of_a_long_record_are_read_as_one(names: LocalDns) -> None:
    names.put("_hibs-opt-out.photos.example", "TXT", f'"{RECORD[:40]}" "{RECORD[40:]}"')
    assert read("photos.example", names=names)[1].records == (RECORD,)


def test_a_host_with_a_port_is_asked_for_by_its_name(names: LocalDns) -> None:
    names.put("_hibs-opt-out.photos.example", "TXT", f'"{RECORD}"')
    assert read("photos.example:8443", names=names)[1].records == (RECORD,)


def test_the_name_above_says_nothing_about_a_subdomain(names: LocalDns) -> None:
    names.put("_hibs-opt-out.example", "TXT", f'"{RECORD}"')
    _, found = read("photos.example", names=names)
    assert (found.records, found.trouble) == ((), "there is no such name")


def test_no_record_and_no_answer_are_told_apart(names: LocalDns) -> None:
    names.put("_hibs-opt-out.photos.example", "A", "192.0.2.1")
    assert read("photos.example", names=names)[1].trouble == "it has no TXT record"
    names.fails = True
    assert read("photos.example", names=names)[1].trouble == "the name server gave no answer (NoNameservers)"


@pytest.mark.parametrize("host", ["127.0.0.1:9", "[::1]:9", "localhost:9", "photos.localhost:9"])
def test_digits_and_names_of_this_machine_are_not_asked_of_a_name_server(host: str, names: LocalDns) -> None:
    assert len(read(host, names=names)) == 1
    assert names.asked == []


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example", ".".join(["a" * 60] * 4), "a$b.example"])
def test_a_host_that_no_name_server_knows_is_a_trouble_and_no_crash(host: str, names: LocalDns) -> None:
    assert all(found.trouble for found in read(host, names=names))


# --- both ------------------------------------------------------------------------------------------------------


def test_many_hosts_are_read_each_for_itself(server: LocalWeb, names: LocalDns) -> None:
    server.put(PATH, RECORD, "text/plain")
    names.put("_hibs-opt-out.photos.example", "TXT", f'"{RECORD}"')
    hosts = [f"h{number}.localhost:{server.port}" for number in range(40)]
    found = read_host_claims([*hosts, "photos.example"], allow_addresses=(server.opened,), dns_server=names.server)
    assert list(found) == [*hosts, "photos.example"]
    assert all(found[host][0].records == (RECORD,) for host in hosts)
    assert [bool(one.records) for one in found["photos.example"]] == [False, True]


@pytest.mark.parametrize("text", ["127.0.0.1", "dns.example:53", "127.0.0.1:99999"])
def test_a_name_server_is_given_in_digits_with_a_port(text: str) -> None:
    with pytest.raises(InputError, match="--dns-server"):
        read_host_claims(["photos.example"], dns_server=text)
