"""Addresses that try to reach what is not public, and where each of them would have led.

Collected from what such tricks are known by: WHATWG URL 3.5 (the host parser and its IPv4 parser), RFC 4291 2.5,
RFC 6052, RFC 5214, RFC 3986 3.2.1 (user information), the metadata addresses of hosting providers, and the classes of
Orange Tsai's "A New Era of SSRF" (2017).
"""

from __future__ import annotations

from dataclasses import dataclass

NO_ADDRESS = "no address"
"""Refused before any request: no http(s) address, or one that cannot be read."""
UNKNOWN_NAME = "unknown name"
"""A name that DNS does not know."""


@dataclass(frozen=True)
class Trick:
    """One address."""

    text: str
    leads_to: str
    """The IP address that it stands for, by hand; or one of the two words above."""
    port: int = 80


# 127.0.0.1 as a number, in every notation of WHATWG URL 3.5 and in what other programs read.
_LOOPBACK_TEXTS = (
    "127.0.0.1", "127.1", "127.0.1", "127.0.0.1.", "127.00.00.01", "127.000.000.001", "0177.0.0.1", "0177.0.0.01",
    "0177.0x0.0.1", "0177.1", "0x7f.0.0.1", "0x7f.1", "0X7F.0.0.1", "0x7F.0x0.0x0.0x1", "0x7f000001", "0x7F000001",
    "0x007f000001", "2130706433", "017700000001", "000017700000001", "0x7f.0.1", "127.0x1", "127.0.0x1",
    "127.0.0.0x1", "127.0.0.01", "0x7f.000001", "127.0.0.%31", "%31%32%37.0.0.1", "127%2E0%2E0%2E1", "127。0。0。1",
    "127．0．0．1", "127｡0｡0｡1", "１２７.０.０.１", "①②⑦.⓪.⓪.①", "¹²⁷.⁰.⁰.¹", "𝟏𝟐𝟕.𝟎.𝟎.𝟏", "₁₂₇.₀.₀.₁",
    "1２7.0.0.1", "127.0.0.１", "0x7f.０.0.1", "[::ffff:127.0.0.1]", "LOCALHOST", "localhost", "localhost.",
    "lOcAlHoSt", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "ｌｏｃａｌｈｏｓｔ", "l%6Fcalhost", "%6c%6f%63%61%6c%68%6f%73%74", "localhost%2e",
    "a.localhost", "metadata.google.internal.localhost", "locａlhost", "loca\u00adlhost", "127.0.0.1:80",
    "127.0.0.1:0080", "127.0.0.1:443",
)  # fmt: skip

# The rest, as (host, where it leads).
_NUMBERS = (
    ("127.0.0.2", "127.0.0.2"), ("127.255.255.254", "127.255.255.254"), ("127.65535", "127.0.255.255"),
    ("0", "0.0.0.0"), ("0.0.0.0", "0.0.0.0"), ("00000000", "0.0.0.0"), ("0x0", "0.0.0.0"), ("0.1", "0.0.0.1"),
    ("0x", "0.0.0.0"), ("0.0", "0.0.0.0"),
    ("169.254.169.254", "169.254.169.254"), ("2852039166", "169.254.169.254"), ("0xA9FEA9FE", "169.254.169.254"),
    ("0xa9.0xfe.0xa9.0xfe", "169.254.169.254"), ("0251.0376.0251.0376", "169.254.169.254"),
    ("169.254.43518", "169.254.169.254"), ("169.16689662", "169.254.169.254"), ("025177524776", "169.254.169.254"),
    ("0251.254.169.254", "169.254.169.254"), ("１６９.２５４.１６９.２５４", "169.254.169.254"),
    ("①⑥⑨.②⑤④.①⑥⑨.②⑤④", "169.254.169.254"), ("169.254.170.2", "169.254.170.2"), ("169.254.0.1", "169.254.0.1"),
    ("100.100.100.200", "100.100.100.200"), ("192.0.0.192", "192.0.0.192"), ("168.63.129.16", "168.63.129.16"),
    ("10.0.0.1", "10.0.0.1"), ("10.1", "10.0.0.1"), ("0xa000001", "10.0.0.1"), ("012.1", "10.0.0.1"),
    ("10.255.255.255", "10.255.255.255"), ("167772161", "10.0.0.1"), ("172.16.0.1", "172.16.0.1"),
    ("172.31.255.255", "172.31.255.255"), ("192.168.0.1", "192.168.0.1"), ("192.168.1", "192.168.0.1"),
    ("192.168.257", "192.168.1.1"), ("3232235777", "192.168.1.1"), ("0xc0a80101", "192.168.1.1"),
    ("100.64.0.1", "100.64.0.1"), ("100.127.255.255", "100.127.255.255"), ("192.0.0.1", "192.0.0.1"),
    ("192.0.2.1", "192.0.2.1"), ("192.88.99.1", "192.88.99.1"), ("192.31.196.1", "192.31.196.1"),
    ("192.52.193.1", "192.52.193.1"), ("192.175.48.1", "192.175.48.1"), ("198.18.0.1", "198.18.0.1"),
    ("198.19.255.255", "198.19.255.255"), ("198.51.100.1", "198.51.100.1"), ("203.0.113.1", "203.0.113.1"),
    ("224.0.0.1", "224.0.0.1"), ("239.255.255.250", "239.255.255.250"), ("240.0.0.1", "240.0.0.1"),
    ("255.255.255.255", "255.255.255.255"), ("4294967295", "255.255.255.255"), ("0xffffffff", "255.255.255.255"),
    ("[::1]", "::1"), ("[0:0:0:0:0:0:0:1]", "::1"), ("[0000:0000::0001]", "::1"), ("[::0.0.0.1]", "::1"),
    ("[::]", "::"), ("[::%31]", NO_ADDRESS), ("[0:0:0:0:0:0:0:0]", "::"), ("[0::0.0.0.0]", "::"),
    ("[::7f00:1]", "::7f00:1"), ("[::127.0.0.1]", "::7f00:1"), ("[::169.254.169.254]", "::a9fe:a9fe"),
    ("[::ffff:7f00:1]", "127.0.0.1"), ("[::FFFF:7F00:0001]", "127.0.0.1"), ("[0:0:0:0:0:ffff:127.0.0.1]", "127.0.0.1"),
    ("[::ffff:169.254.169.254]", "169.254.169.254"), ("[::ffff:a9fe:a9fe]", "169.254.169.254"),
    ("[::ffff:10.0.0.1]", "10.0.0.1"), ("[::ffff:0.0.0.0]", "0.0.0.0"), ("[::ffff:0:127.0.0.1]", "::ffff:0:7f00:1"),
    ("[::ffff:0:a9fe:a9fe]", "::ffff:0:a9fe:a9fe"), ("[64:ff9b::127.0.0.1]", "64:ff9b::7f00:1"),
    ("[64:ff9b::a9fe:a9fe]", "64:ff9b::a9fe:a9fe"), ("[64:ff9b::10.0.0.1]", "64:ff9b::a00:1"),
    ("[64:ff9b:1::1]", "64:ff9b:1::1"), ("[64:ff9b:1:7f00:0:100::]", "64:ff9b:1:7f00:0:100::"),
    ("[2002:7f00:1::]", "2002:7f00:1::"), ("[2002:a9fe:a9fe::]", "2002:a9fe:a9fe::"),
    ("[2002:808:808::]", "2002:808:808::"), ("[2001::1]", "2001::1"),
    ("[2001:0:4136:e378:8000:63bf:3fff:fdd2]", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
    ("[2001:4860:4860::5efe:7f00:1]", "2001:4860:4860::5efe:7f00:1"),
    ("[2001:4860:4860::200:5efe:10.0.0.1]", "2001:4860:4860:0:200:5efe:a00:1"),
    ("[fe80::1]", "fe80::1"), ("[fe80::1%25eth0]", NO_ADDRESS), ("[fe80::1%eth0]", NO_ADDRESS),
    ("[::1%25lo]", NO_ADDRESS), ("[febf::1]", "febf::1"), ("[fc00::1]", "fc00::1"),
    ("[fd00:ec2::254]", "fd00:ec2::254"), ("[fd20:ce::254]", "fd20:ce::254"),
    ("[fec0::1]", "fec0::1"), ("[ff02::1]", "ff02::1"), ("[ff0e::1]", "ff0e::1"),
    ("[100::1]", "100::1"), ("[100:0:0:1::1]", "100:0:0:1::1"), ("[2001:db8::1]", "2001:db8::1"),
    ("[3fff::1]", "3fff::1"), ("[5f00::1]", "5f00::1"), ("[2620:4f:8000::1]", "2620:4f:8000::1"),
    ("[2001:20::1]", "2001:20::1"), ("[4000::1]", "4000::1"), ("[8000::1]", "8000::1"),
    ("256.0.0.1", NO_ADDRESS), ("127.0.0.256", NO_ADDRESS), ("127.0.0.0x100", NO_ADDRESS), ("1.2.3.4.5", NO_ADDRESS),
    ("4294967296", NO_ADDRESS), ("0x100000000", NO_ADDRESS), ("6425673729", NO_ADDRESS), ("127..0.1", NO_ADDRESS),
    ("[127.0.0.1]", NO_ADDRESS), ("[::1", NO_ADDRESS), ("::1", NO_ADDRESS), ("[:::1]", NO_ADDRESS),
    ("[::ffff:127.1]", NO_ADDRESS), ("[::ffff:0177.0.0.1]", NO_ADDRESS), ("[v1.127]", NO_ADDRESS),
    ("0x7f.0.0.1.example", UNKNOWN_NAME), ("127.0.0.1.example", UNKNOWN_NAME), ("localhost.example", UNKNOWN_NAME),
    ("notlocalhost", UNKNOWN_NAME), ("localhost.localdomain", UNKNOWN_NAME), ("ip6-localhost", UNKNOWN_NAME),
    ("metadata", UNKNOWN_NAME), ("kubernetes.default.svc", UNKNOWN_NAME), (f"{'a' * 64}.example", UNKNOWN_NAME),
    (f"{'a.' * 130}example", UNKNOWN_NAME),
)  # fmt: skip

# Names that DNS answers with something that is not public; the test's resolver gives just these answers.
NAMES = {
    "loopback.example": ("127.0.0.1",),
    "loopback-tail.example": ("127.255.255.254",),
    "zero.example": ("0.0.0.0",),
    "private-a.example": ("10.1.2.3",),
    "private-b.example": ("172.20.0.1",),
    "private-c.example": ("192.168.7.7",),
    "metadata.google.internal": ("169.254.169.254",),
    "instance-data": ("169.254.169.254",),
    "link.example": ("fe80::1",),
    "scoped.example": ("fe80::1%1",),
    "scoped-public.example": ("2606:4700::1%1",),
    "six.example": ("::1",),
    "unspecified.example": ("::",),
    "mapped.example": ("::ffff:127.0.0.1",),
    "compatible.example": ("::127.0.0.1",),
    "translated.example": ("::ffff:0:127.0.0.1",),
    "nat64.example": ("64:ff9b::7f00:1",),
    "nat64-local.example": ("64:ff9b:1::7f00:1",),
    "6to4.example": ("2002:7f00:1::1",),
    "teredo.example": ("2001:0:4136:e378:8000:63bf:3fff:fdd2",),
    "isatap.example": ("2606:4700::5efe:192.168.0.1",),
    "unique-local.example": ("fd00::1",),
    "site-local.example": ("fec0::1",),
    "multicast.example": ("224.0.0.251",),
    "multicast6.example": ("ff02::fb",),
    "broadcast.example": ("255.255.255.255",),
    "shared.example": ("100.64.0.1",),
    "wireserver.example": ("168.63.129.16",),
    "several.example": ("10.0.0.1", "192.168.0.1", "127.0.0.1", "::1"),
    "legacy.example": ("0177.0.0.1",),
    "not-digits.example": ("localhost",),
    "xn--mnchen-3ya.example": ("127.0.0.1",),
    "under_score.example": ("127.0.0.1",),
}

# User information, backslashes and delimiters that make one reader see a public host and another one see 127.0.0.1.
_CONFUSIONS = (
    ("http://public.example@127.0.0.1/", "127.0.0.1"),
    ("http://public.example:80@127.0.0.1/", "127.0.0.1"),
    ("http://public.example%40127.0.0.1/", NO_ADDRESS),
    ("http://public.example@127.0.0.1@public.example/", UNKNOWN_NAME),
    ("http://127.0.0.1@public.example/", UNKNOWN_NAME),
    ("http://a@127.0.0.1:80@public.example/", UNKNOWN_NAME),
    ("http://127.0.0.1#@public.example/", "127.0.0.1"),
    ("http://127.0.0.1?@public.example/", "127.0.0.1"),
    ("http://127.0.0.1/@public.example/", "127.0.0.1"),
    ("http://127.0.0.1\\@public.example/", "127.0.0.1"),
    ("http://public.example\\@127.0.0.1/", UNKNOWN_NAME),
    ("http://127.0.0.1;@public.example/", UNKNOWN_NAME),
    ("http://127.0.0.1%23@public.example/", UNKNOWN_NAME),
    ("http://127.0.0.1%2f@public.example/", UNKNOWN_NAME),
    ("http://127.0.0.1%00.public.example/", NO_ADDRESS),
    ("http://127.0.0.1%0d%0a.public.example/", NO_ADDRESS),
    ("http://127.0.0.1\t.public.example/", UNKNOWN_NAME),
    ("http://127.0.0.1\n/", "127.0.0.1"),
    ("http://127.0.\t0.1/", "127.0.0.1"),
    ("ht\ntp://127.0.0.1/", "127.0.0.1"),
    (" http://127.0.0.1/", "127.0.0.1"),
    ("\x00\x1fhttp://127.0.0.1/ ", "127.0.0.1"),
    ("http:127.0.0.1/", "127.0.0.1"),
    ("http:/127.0.0.1/", "127.0.0.1"),
    ("http:///127.0.0.1/", "127.0.0.1"),
    ("http:////////127.0.0.1/", "127.0.0.1"),
    ("http:\\\\127.0.0.1\\", "127.0.0.1"),
    ("HTTP://127.0.0.1/", "127.0.0.1"),
    ("http://:@127.0.0.1/", "127.0.0.1"),
    ("http://@127.0.0.1/", "127.0.0.1"),
    ("http://@@127.0.0.1/", "127.0.0.1"),
    ("http://me:secret@169.254.169.254/latest/meta-data/", "169.254.169.254"),
    ("http://public.example /", NO_ADDRESS),
    ("http://[::1]@public.example/", UNKNOWN_NAME),
    ("http://public.example@[::1]/", "::1"),
    ("http://[::ffff:127.0.0.1]:80/", "127.0.0.1"),
    ("http://127.0.0.1:/", "127.0.0.1"),
    ("http://127.0.0.1/../../x", "127.0.0.1"),
    ("http://127.0.0.1/%0d%0aHost:%20public.example", "127.0.0.1"),
    ("http://127.0.0.1/ HTTP/1.1\r\nHost: public.example\r\n\r\n", "127.0.0.1"),
    ("http://localhost:80:80/", NO_ADDRESS),
    ("http://127.0.0.1:+80/", NO_ADDRESS),
    ("http://127.0.0.1:8\t0/", "127.0.0.1"),
    ("http://[::1]a/", NO_ADDRESS),
    ("http://127.0.0.1.nip\u3002example/", UNKNOWN_NAME),
    ("file:///etc/passwd", NO_ADDRESS),
    ("gopher://127.0.0.1:6379/_INFO", NO_ADDRESS),
    ("ftp://127.0.0.1/", NO_ADDRESS),
    ("dict://127.0.0.1:11211/stats", NO_ADDRESS),
    ("ws://127.0.0.1/", NO_ADDRESS),
    ("wss://127.0.0.1/", NO_ADDRESS),
    ("unix:/var/run/docker.sock", NO_ADDRESS),
    ("http+unix://%2Fvar%2Frun%2Fdocker.sock/info", NO_ADDRESS),
    ("jar:http://127.0.0.1!/", NO_ADDRESS),
    ("data:text/html,x", NO_ADDRESS),
    ("javascript:fetch('http://127.0.0.1/')", NO_ADDRESS),
    ("view-source:http://127.0.0.1/", NO_ADDRESS),
    ("blob:http://127.0.0.1/0b", NO_ADDRESS),
    ("https://127.0.0.1/", "127.0.0.1"),
    ("https://[::1]/", "::1"),
    ("https://169.254.169.254/", "169.254.169.254"),
)

# Ports of services that are harmed by, or obey, what looks like HTTP; on this machine and on a public one.
_PORTS = (1, 7, 21, 22, 23, 25, 53, 81, 110, 143, 389, 445, 465, 587, 993, 2049, 2375, 3306, 5432, 5900, 6000, 6379,
          6667, 8000, 8001, 8080, 8443, 8500, 9000, 9200, 10250, 11211, 27017, 65535)  # fmt: skip
PUBLIC = "93.184.215.14"
"""A public address. No test may reach it: its ports are closed to us, but for 80 and 443."""


def tricks() -> list[Trick]:
    """All of them."""
    found = [_loopback(text) for text in _LOOPBACK_TEXTS]
    found += [Trick(f"http://{host}/", leads_to) for host, leads_to in _NUMBERS]
    found += [Trick(f"http://{name}/", addresses[0]) for name, addresses in NAMES.items()]
    found += [Trick(text, leads_to, port=443 if text.startswith("https") else 80) for text, leads_to in _CONFUSIONS]
    found += [Trick(f"http://{host}:{port}/", host, port) for port in _PORTS for host in (PUBLIC, "127.0.0.1")]
    found += [Trick("http://127.0.0.1:65536/", NO_ADDRESS), Trick(f"https://{PUBLIC}:80443/", NO_ADDRESS)]
    return found


def _loopback(text: str) -> Trick:
    return Trick(f"http://{text}/", "127.0.0.1", port=443 if text.endswith(":443") else 80)
