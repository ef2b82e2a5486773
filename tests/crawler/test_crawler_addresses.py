"""What may be stored of an address: nothing that signs or opens something, and all the rest byte for byte."""

from __future__ import annotations

import time

import ada_url
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.addresses import has_secret_parts, join, storable
from crawler.secret_parts import SCHEMES

PICTURE = "https://img.example/a.jpg"


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        # Amazon S3, Signature Version 4, the example of its documentation.
        (
            "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA"
            "IOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z"
            "&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bb",
            "https://examplebucket.s3.amazonaws.com/test.txt",
        ),
        # Signature Version 2.
        (f"{PICTURE}?AWSAccessKeyId=AKIA&Expires=1175139620&Signature=NpgCjnD&v=3", f"{PICTURE}?v=3"),
        # CloudFront, the example of its documentation.
        (
            "https://d111111abcdef8.cloudfront.net/image.jpg?color=red&size=medium&Expires=1767290400"
            "&Signature=nitfHRCr&Key-Pair-Id=K2JCJMDEHXQW5F&Hash-Algorithm=SHA256",
            "https://d111111abcdef8.cloudfront.net/image.jpg?color=red&size=medium",
        ),
        (f"{PICTURE}?Policy=eyJ&Signature=n&Key-Pair-Id=K", PICTURE),
        # Google Cloud Storage, both versions, and Cloud CDN.
        (f"{PICTURE}?X-Goog-Algorithm=GOOG4&X-Goog-Credential=c&X-Goog-Signature=s&x=1", f"{PICTURE}?x=1"),
        (f"{PICTURE}?GoogleAccessId=me@x.iam&Expires=1&Signature=s", PICTURE),
        (f"{PICTURE}?URLPrefix=aHR0&Expires=1&KeyName=k&Signature=s", PICTURE),
        # Azure: the short names only beside `sig`.
        (f"{PICTURE}?sv=2021-12-02&sr=b&sp=r&se=2026-11-23&spr=https&sig=x%2By&w=2", f"{PICTURE}?w=2"),
        (f"{PICTURE}?sr=b&sp=r&se=2&si=4&w=2", f"{PICTURE}?sr=b&sp=r&se=2&si=4&w=2"),
        # Alibaba: the signature, not the size that it serves.
        (f"{PICTURE}?x-oss-process=image/resize,w_9&OSSAccessKeyId=a&x-oss-signature=s",
         f"{PICTURE}?x-oss-process=image/resize,w_9"),
        (f"{PICTURE}?q-sign-algorithm=sha1&q-ak=a&q-signature=b&imageView2=1", f"{PICTURE}?imageView2=1"),
        # Facebook and Instagram.
        (
            "https://scontent.cdninstagram.com/v/1_n.jpg?stp=dst-jpg_s320&_nc_ht=h&_nc_cat=1&_nc_ohc=o&oh=00_A&oe=650C",
            "https://scontent.cdninstagram.com/v/1_n.jpg?stp=dst-jpg_s320",
        ),
        # Discord and LinkedIn: three short names that mean something only together.
        ("https://cdn.discordapp.com/attachments/1/2/a.png?ex=65&is=64&hm=ab&",
         "https://cdn.discordapp.com/attachments/1/2/a.png"),
        (f"{PICTURE}?ex=65&is=64", f"{PICTURE}?ex=65&is=64"),
        ("https://media.licdn.com/dms/a?e=1777507200&v=beta&t=xy", "https://media.licdn.com/dms/a"),
        (f"{PICTURE}?t=3&v=2", f"{PICTURE}?t=3&v=2"),
        # TikTok, Akamai.
        (f"{PICTURE}?x-expires=1776463200&x-signature=a%2Fb&idc=maliva", f"{PICTURE}?idc=maliva"),
        (f"{PICTURE}?hdnts=exp=1~hmac=2", PICTURE),
        (f"{PICTURE}?__token__=exp=1~hmac=2&w=1", f"{PICTURE}?w=1"),
        # Tokens and sessions, in every spelling.
        *((f"{PICTURE}?w=1&{name}=abc&h=2", f"{PICTURE}?w=1&h=2") for name in (
            "token", "access_token", "accessToken", "Access-Token", "auth", "auth_token", "sessionid", "session_id",
            "PHPSESSID", "JSESSIONID", "api_key", "apikey", "api-key", "jwt", "password", "sig", "signature", "hmac",
            "client_secret", "id_token", "%74oken", "to\tken", "SAMLResponse", "csrf_token",
        )),
        (f"{PICTURE}?token", PICTURE),
        ("https://a.example/x;jsessionid=1A2B?w=1", "https://a.example/x?w=1"),
        ("https://a.example/x;JSESSIONID=1A2B/y;v=1", "https://a.example/x/y;v=1"),
        # `;` between parameters, as old servers read it.
        (f"{PICTURE}?a=1;token=2&b=3", f"{PICTURE}?a=1&b=3"),
        (f"{PICTURE}?token=2;b=3", f"{PICTURE}?b=3"),
        # User names, passwords, fragments.
        ("https://me:secret@a.example/x?q=1", "https://a.example/x?q=1"),
        ("https://me@a.example/x", "https://a.example/x"),
        ("https://a.example/x#access_token=1", "https://a.example/x"),
        ("https://a.example/x?q=1#", "https://a.example/x?q=1"),
        # What cannot be read as an address is stored as well, from lists of others.
        ("//me:secret@a.example/x?token=1&b", "//a.example/x?b"),
        ("http://me:secret@[::1/x?token=1", "http://[::1/x"),
        ("a.jpg?token=1&w=2", "a.jpg?w=2"),
        # An address inside an address.
        (
            "https://a.example/_next/image?url=https%3A%2F%2Fb.example%2Fc.jpg%3Fv%3D1%26X-Amz-Signature%3Dx&w=640",
            "https://a.example/_next/image?url=https%3A%2F%2Fb.example%2Fc.jpg%3Fv%3D1&w=640",
        ),
        ("https://a.example/?u=//me:pw@b.example/c", "https://a.example/?u=%2F%2Fb.example%2Fc"),
    ],
)  # fmt: skip
def test_an_address_is_stored_without_what_signs_or_opens_something(url: str, stored: str) -> None:
    assert storable(url) == stored
    assert has_secret_parts(url) == (url.partition("#")[0] != stored)


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/x?b=2&a=1&&c=%2f%2F&d=a+b&e=%zz&f=&g&=h",
        "https://a.example/x?",
        "https://a.example/x?q='1'&r=a|b",
        "https://a.example/@me/a:b?c=d@e",
        "https://a.example/x?design=1&design_token_set=2&author=me&authority=x&keyword=y&key=photos/1.jpg&expiry=1",
        "https://a.example/_next/image?url=https%3a%2F%2Fb.example%2Fc.jpg%3fv=1&w=640",
        "https://i.example/a.jpg?w=640&s=0123456789abcdef0123456789abcdef",  # imgix signs a size, not an access
        "https://a.example/x?page_token=3&sid=12&session=morning",
        "http://[::1",
        "mailto:me@a.example",
        "\ud800?a=1",
        "",
    ],
)
def test_all_else_keeps_its_order_and_its_bytes(url: str) -> None:
    assert storable(url) == url
    assert not has_secret_parts(url)


WORDS = st.sampled_from(
    ["https://", "http://", "//", "me:pw@", "a.example", "/x", ";jsessionid=1", "?", "&", ";", "=", "#", "token", "sig",
     "se", "oh", "X-Amz-Date", "_nc_a", "%3F", "%26", "%3D", "url=", "http%3A%2F%2F", "%2525", "1", "ex", "is", "hm",
     "\\", "\t", "é", "%74oken", "[::1]", ":80", "'"]
)  # fmt: skip


@given(st.lists(WORDS | st.text(max_size=4), max_size=30).map("".join))
def test_doing_it_twice_changes_nothing_more(url: str) -> None:
    stored = storable(url)
    assert storable(stored) == stored
    assert not has_secret_parts(stored)


@given(st.lists(st.sampled_from(["w=1", "h=%2F", "a", "", "b=c=d", "é=ü"]), max_size=8), st.data())
def test_what_stays_is_what_would_stand_there_without_the_secrets(kept: list[str], data: st.DataObject) -> None:
    mixed = list(kept)
    for secret in ("token=1", "X-Amz-Signature=a", "oh=2"):
        mixed.insert(data.draw(st.integers(0, len(mixed))), secret)
    rest = "&".join(kept)
    assert storable(f"{PICTURE}?{'&'.join(mixed)}") == (f"{PICTURE}?{rest}" if rest else PICTURE)


@given(st.text(max_size=60))
def test_what_a_page_names_can_be_stored_and_has_no_credentials(href: str) -> None:
    url = join(href, "https://me:pw@a.example/b?c")
    if url is not None:
        for address in (url, storable(url)):
            parts = ada_url.URL(address)
            assert (parts.username, parts.password, parts.hash) == ("", "", "")


def test_no_address_keeps_the_reader_busy() -> None:
    begin_s = time.process_time()
    for url in (
        "https://a.example/?" + "&" * 500_000,
        "https://a.example/?" + "token=1&" * 60_000,
        "https://a.example/" + ";jsessionid=1" * 60_000,
        "https://a.example/?u=" + "http%3A%2F%2F" * 40_000 + "%3Ftoken",
        "http://" + "@" * 500_000,
    ):
        storable(url)
    assert time.process_time() - begin_s < 8  # about 1 s


def test_every_rule_names_its_source_and_is_written_as_it_is_compared() -> None:
    for scheme in SCHEMES:
        assert scheme.source
        for name in scheme.names | scheme.beside | scheme.companions:
            assert name == name.lower().replace("-", "").replace("_", "").replace(".", "")
        assert all(prefix == prefix.lower() for prefix in scheme.prefixes)
