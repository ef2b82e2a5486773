"""What may be contacted. Ranges are from the IANA special-purpose address registries."""

from __future__ import annotations

import pytest

from checker.errors import InputError
from crawler.guard import Guard, is_localhost, parse_opened


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
        "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "192.88.99.1", "168.63.129.16",
        "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00::1", "fec0::1", "ff02::1", "2001:db8::1", "100::1",
        "3fff::1", "5f00::1",
        "::ffff:127.0.0.1",  # IPv4-mapped
        "::127.0.0.1",  # IPv4-compatible
        "::ffff:0:127.0.0.1",  # IPv4-translated
        "64:ff9b::127.0.0.1",  # NAT64
        "64:ff9b:1::1",  # NAT64, local use
        "2002:7f00:1::1",  # 6to4 of 127.0.0.1
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
        "gallery.example", "",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_closed(address: str) -> None:
    assert not Guard().allows(address, 80)
    assert not Guard().allows(address, 443)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8", "172.32.0.1", "192.169.0.1", "100.128.0.1", "2606:4700::1",
        "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1",
    ],
)  # fmt: skip
def test_a_public_address_is_open_on_80_and_443_only(address: str) -> None:
    guard = Guard()
    assert guard.allows(address, 80)
    assert guard.allows(address, 443)
    for port in (22, 25, 6379, 8080):
        assert not guard.allows(address, port)


def test_without_a_contact_nothing_public_is_open() -> None:
    assert not Guard(public=False).allows("8.8.8.8", 443)


def test_an_opened_address_is_open_on_that_port_and_no_other() -> None:
    guard = Guard(opened=parse_opened(["127.0.0.1:8001"]), public=False)
    assert guard.allows("127.0.0.1", 8001)
    assert not guard.allows("127.0.0.1", 8002)
    assert not guard.allows("127.0.0.2", 8001)
    assert not guard.allows("::ffff:127.0.0.1", 8001)


def test_names_under_localhost_are_this_machine() -> None:
    assert is_localhost("localhost")
    assert is_localhost("Gallery.LOCALHOST.")
    assert not is_localhost("localhost.example")
    assert not is_localhost("notlocalhost")
    guard = Guard(opened=parse_opened(["localhost:8001", "[::1]:8002"]))
    assert guard.opens_host("gallery.localhost", 8001)
    assert guard.opens_host("[::1]", 8002)
    assert not guard.opens_host("gallery.example", 8001)


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "gallery.example:80", "127.0.0.1:0", "127.0.0.1:99999", ":80", "127.0.0.1:²"]
)
def test_an_opened_address_is_written_in_digits_with_a_port(text: str) -> None:
    with pytest.raises(InputError, match=r"127\.0\.0\.1:8001"):
        parse_opened([text])
