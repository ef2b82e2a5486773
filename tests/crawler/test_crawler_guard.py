"""What may be contacted. Ranges are from the IANA special-purpose address registries."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.errors import InputError
from crawler.guard import BlockedAddressError, Guard, is_localhost, parse_opened


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
        "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "192.88.99.1", "168.63.129.16",
        "::1", "::", "fe80::1", "fe80::1%eth0", "2606:4700::1%eth0",
        "fc00::1", "fd00::1", "fec0::1", "ff02::1", "2001:db8::1", "100::1",
        "3fff::1", "5f00::1",
        "::ffff:127.0.0.1",  # IPv4-mapped
        "::127.0.0.1",  # IPv4-compatible
        "::ffff:0:127.0.0.1",  # IPv4-translated
        "64:ff9b::127.0.0.1",  # NAT64
        "64:ff9b:1::1",  # NAT64, local use
        "2002:7f00:1::1", "2002:808:808::1",  # 6to4, given up whatever it carries
        "::8.8.8.8", "::ffff:0:8.8.8.8",  # as these two are
        "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254",
        "2606:4700::5efe:127.0.0.1", "2606:4700::200:5efe:192.168.0.1",  # ISATAP (RFC 5214 6.1)
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
        "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2606:4700::5efe:8.8.8.8", "2a00::1", "2001:4860:4860::8888",
    ],
)  # fmt: skip
def test_a_public_address_is_open_on_80_and_443_only(address: str) -> None:
    guard = Guard()
    assert guard.allows(address, 80)
    assert guard.allows(address, 443)
    for port in (22, 25, 6379, 8080):
        assert not guard.allows(address, port)


IANA = (
    # https://www.iana.org/assignments/iana-ipv4-special-registry, every entry
    "0.0.0.0/8", "0.0.0.0/32", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.0.0.0/29", "192.0.0.8/32", "192.0.0.9/32", "192.0.0.10/32", "192.0.0.170/32",
    "192.0.0.171/32", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.88.99.2/32",
    "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
    "255.255.255.255/32",
    # https://www.iana.org/assignments/iana-ipv6-special-registry, every entry but the two that carry IPv4 addresses
    "::1/128", "::/128", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001::/32", "2001:1::1/128",
    "2001:1::2/128", "2001:1::3/128", "2001:2::/48", "2001:3::/32", "2001:4:112::/48", "2001:10::/28",
    "2001:20::/28", "2001:30::/28", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20", "5f00::/16",
    "fc00::/7", "fe80::/10",
    # https://www.iana.org/assignments/ipv6-address-space: multicast, site-local, and all that is not allocated
    "224.0.0.0/4", "ff00::/8", "fec0::/10", "::/8", "100::/8", "200::/7", "400::/6", "800::/5", "1000::/4",
    "4000::/3", "6000::/3", "8000::/3", "a000::/3", "c000::/3", "e000::/4", "f000::/5", "f800::/6", "fe00::/9",
)  # fmt: skip


@pytest.mark.parametrize("net", IANA)
def test_every_special_range_is_closed_from_its_first_to_its_last_address(net: str) -> None:
    network = ip_network(net)
    for address in (network[0], network[-1], network[network.num_addresses // 2]):
        assert not Guard().allows(str(address), 443) or address in ip_network("64:ff9b::/96")


@pytest.mark.parametrize("net", IANA[:26])
def test_a_closed_ipv4_address_is_closed_in_every_form_of_ipv6(net: str) -> None:
    network = ip_network(net)
    for ipv4 in (int(network[0]), int(network[-1])):
        for prefix in ("::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::", "2606:4700::5efe:0:0"):
            assert not Guard().allows(str(IPv6Address(int(IPv6Address(prefix)) | ipv4)), 443)
        assert not Guard().allows(str(IPv6Address(0x2002 << 112 | ipv4 << 80)), 443)


@given(st.ip_addresses())
def test_what_python_calls_private_is_closed(address: IPv4Address | IPv6Address) -> None:
    if address.is_private or address.is_multicast or address.is_reserved or address.is_loopback:
        carries = isinstance(address, IPv6Address) and (address.ipv4_mapped or address in ip_network("64:ff9b::/96"))
        assert carries or not Guard().allows(str(address), 443)


@pytest.mark.parametrize("address", [("2606:4700::1", 80, 0, 3), ("127.0.0.1", 80), ("8.8.8.8", 8080)])
def test_no_socket_is_made_for_a_closed_address(address: tuple[str, int]) -> None:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with pytest.raises(BlockedAddressError):
        Guard().make_socket((family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address))


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
