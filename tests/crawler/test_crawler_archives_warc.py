"""WARC: what is a picture, what was sent along with it, robots.txt as evidence; clipped, coded and hostile files."""

from __future__ import annotations

import gzip
import zlib
from datetime import UTC, datetime
from pathlib import Path

import brotli
import pytest
from archives_made import LIMITS, Warc, entries_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from warcio.statusandheaders import StatusAndHeaders

from crawler.archives.entries import Failed, HostFile, Item, Limits, Passed, Trouble
from crawler.archives.warcs import read_warc

JPEG = b"\xff\xd8\xff\xe0 a picture as far as an archive knows"
URL = "https://img.example/a.jpg"
THEN = datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)
PASSED = "no-picture"


def written(tmp_path: Path, body: bytes, name: str = "crawl.warc.gz") -> Path:
    path = tmp_path / name
    path.write_bytes(body)
    return path


def one(tmp_path: Path, warc: Warc) -> object:
    (entry,) = entries_of(read_warc, written(tmp_path, warc.bytes()))
    return entry


@pytest.mark.parametrize("packed", [True, False])
def test_a_picture_comes_with_its_address_date_and_header_lines(tmp_path: Path, packed: bool) -> None:
    warc = Warc(gzip=packed).response(URL, JPEG, ("X-Robots-Tag", "noai"), ("X-Robots-Tag", "noindex"))
    entry = one(tmp_path, warc)
    assert isinstance(entry, Item)
    assert (entry.body, entry.told.image_url, entry.fetched_at, entry.status) == (JPEG, URL, THEN, 200)
    assert entry.headers == (("Content-Type", "image/jpeg"), ("X-Robots-Tag", "noai"), ("X-Robots-Tag", "noindex"))
    assert (entry.locator.file, entry.locator.row, entry.after) == ("crawl.warc.gz", 0, 1)
    assert (entry.locator.key or "").startswith("<urn:uuid:")


def test_a_picture_is_known_by_its_bytes_where_its_server_calls_it_something_else(tmp_path: Path) -> None:
    assert isinstance(one(tmp_path, Warc().response(URL, JPEG, content_type="application/octet-stream")), Item)


def test_what_its_server_calls_a_picture_is_given_whatever_it_is(tmp_path: Path) -> None:
    # the decoder will say why it is none; left out, it would be as if it had not been there
    assert isinstance(one(tmp_path, Warc().response(URL, b"<svg/>", content_type="image/svg+xml")), Item)


def test_pages_requests_and_revisits_are_passed_over(tmp_path: Path) -> None:
    warc = Warc().record("http://a.example/", "warcinfo", b"software: x\r\n")
    warc.response("http://a.example/", b"<html>", content_type="text/html")
    asked = StatusAndHeaders("GET /a.jpg HTTP/1.1", [("Host", "a.example")], is_http_request=True)
    warc.record(URL, "request", b"", http_headers=asked)
    warc.record(URL, "revisit", b"", http_headers=StatusAndHeaders("304 Not Modified", [], protocol="HTTP/1.1"))
    warc.record(URL, "conversion", JPEG, warc_content_type="image/jpeg")
    warc.record(URL, "metadata", b"fetchTimeMs: 1\r\n")
    warc.response("dns:img.example", b"1.2.3.4", content_type="text/dns")
    assert entries_of(read_warc, written(tmp_path, warc.bytes())) == [Passed(n, PASSED) for n in range(1, 8)]


@pytest.mark.parametrize("status", ["404 Not Found", "301 Moved Permanently", "402 Payment Required", "500 Oh"])
def test_the_picture_of_an_error_page_is_not_the_one_at_the_address(tmp_path: Path, status: str) -> None:
    assert one(tmp_path, Warc().response(URL, JPEG, status=status)) == Passed(1, PASSED)


def test_a_resource_is_a_picture_without_an_answer(tmp_path: Path) -> None:
    entry = one(tmp_path, Warc().record(URL, "resource", JPEG, warc_content_type="image/jpeg"))
    assert isinstance(entry, Item)
    assert (entry.body, entry.status, entry.headers, entry.told.image_url) == (JPEG, None, (), URL)


def test_the_parts_of_an_address_that_open_something_are_not_kept(tmp_path: Path) -> None:
    entry = one(tmp_path, Warc().response("https://me:secret@img.example/a.jpg?w=2&X-Amz-Signature=ab#top", JPEG))
    assert isinstance(entry, Item)
    assert entry.told.image_url == "https://img.example/a.jpg?w=2"


@pytest.mark.parametrize("date", ["2999-01-01T00:00:00Z", "1066-10-14T00:00:00Z"])
def test_a_date_that_cannot_be_is_not_believed(tmp_path: Path, date: str) -> None:
    entry = one(tmp_path, Warc().response(URL, JPEG, date=date))
    assert isinstance(entry, Item)
    assert entry.fetched_at is None


# --- codings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coding", "coded"),
    [
        ("gzip", gzip.compress(JPEG, mtime=0)),
        ("deflate", zlib.compress(JPEG)),
        ("br", brotli.compress(JPEG)),
        ("identity", JPEG),
    ],
)
def test_a_content_encoding_is_undone(tmp_path: Path, coding: str, coded: bytes) -> None:
    entry = one(tmp_path, Warc().response(URL, coded, ("Content-Encoding", coding)))
    assert isinstance(entry, Item)
    assert entry.body == JPEG


def test_chunks_are_undone_and_archives_that_undid_them_already_are_understood(tmp_path: Path) -> None:
    # RFC 9112 7.1: size in hex, extensions, trailers
    chunked = b"4;a=b\r\n" + JPEG[:4] + b"\r\n%X\r\n" % len(JPEG[4:]) + JPEG[4:] + b"\r\n0\r\nX-Trailer: 1\r\n\r\n"
    for body in (chunked, JPEG):
        entry = one(tmp_path, Warc().response(URL, body, ("Transfer-Encoding", "chunked")))
        assert isinstance(entry, Item)
        assert entry.body == JPEG


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (("Content-Encoding", "gzip"), JPEG),
        (("Content-Encoding", "gzip"), gzip.compress(JPEG, mtime=0)[:-9]),
        (("Content-Encoding", "compress"), JPEG),
        (("Transfer-Encoding", "chunked"), b"4\r\nabcd\r\nzz"),
    ],
)
def test_what_cannot_be_decoded_is_named(tmp_path: Path, header: tuple[str, str], body: bytes) -> None:
    entry = one(tmp_path, Warc().response(URL, body, header))
    assert isinstance(entry, Failed)
    assert entry.trouble is Trouble.NOT_READ


def test_a_body_that_is_a_bomb_is_too_large(tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(50 * 2**20))
    for warc in (
        Warc().response(URL, bomb, ("Content-Encoding", "gzip")),
        Warc().response(URL, JPEG + bytes(LIMITS.picture_bytes_max)),
    ):
        entry = one(tmp_path, warc)
        assert isinstance(entry, Failed)
        assert entry.trouble is Trouble.TOO_LARGE


# --- robots.txt ------------------------------------------------------------------------------------------------


def test_a_robots_txt_is_evidence_of_its_day(tmp_path: Path) -> None:
    body = b"User-agent: *\nDisallow: /private\n"
    for coding, coded in (("identity", body), ("gzip", gzip.compress(body))):
        warc = Warc().response(
            "http://a.example/robots.txt", coded, ("Content-Encoding", coding), content_type="text/plain"
        )
        entry = one(tmp_path, warc)
        assert isinstance(entry, HostFile)
        file = entry.file
        assert (file.url, file.status, file.body, file.fetched_at) == ("http://a.example/robots.txt", 200, body, THEN)


@pytest.mark.parametrize("status", ["404 Not Found", "503 Later", "301 Moved"])
def test_the_status_of_a_robots_txt_is_evidence_too(tmp_path: Path, status: str) -> None:
    entry = one(tmp_path, Warc().response("http://a.example/robots.txt", b"x", status=status, content_type="text/html"))
    assert isinstance(entry, HostFile)
    assert (entry.file.status, entry.file.body) == (int(status[:3]), None)


def test_a_robots_txt_that_cannot_be_decoded_is_one_that_was_not_had(tmp_path: Path) -> None:
    warc = Warc().response("http://a.example/robots.txt", b"User-agent: *", ("Content-Encoding", "gzip"))
    entry = one(tmp_path, warc)
    assert isinstance(entry, HostFile)
    assert (entry.file.status, entry.file.error, entry.file.body) == (None, "bad-encoding", None)


def test_of_a_long_robots_txt_the_beginning_is_kept(tmp_path: Path) -> None:
    # RFC 9309 2.5: at least 500 kibibytes
    body = b"User-agent: *\nDisallow: /\n" + b"#" * 700_000
    entry = one(tmp_path, Warc().response("http://a.example/robots.txt", body, content_type="text/plain"))
    assert isinstance(entry, HostFile)
    assert entry.file.body == body[:512_000]


@pytest.mark.parametrize("url", ["http://a.example/dir/robots.txt", "http://a.example/robots.txt?x"])
def test_only_the_top_of_a_host_has_a_robots_txt(tmp_path: Path, url: str) -> None:
    assert one(tmp_path, Warc().response(url, b"Disallow: /", content_type="text/plain")) == Passed(1, PASSED)


def test_a_robots_txt_without_a_date_is_evidence_of_nothing(tmp_path: Path) -> None:
    warc = Warc().response("http://a.example/robots.txt", b"x", date="2999-01-01T00:00:00Z", content_type="text/plain")
    assert one(tmp_path, warc) == Passed(1, PASSED)


# --- damage ----------------------------------------------------------------------------------------------------


def three(*, packed: bool) -> bytes:
    warc = Warc(gzip=packed)
    for number in range(3):
        warc.response(f"https://img.example/{number}.jpg", JPEG + bytes([number]) * 1000)
    return warc.bytes()


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("start", range(4))
def test_a_reader_goes_on_behind_any_record(tmp_path: Path, packed: bool, start: int) -> None:
    path = written(tmp_path, three(packed=packed))
    whole = entries_of(read_warc, path)
    assert [entry.after for entry in whole] == [1, 2, 3]
    assert entries_of(read_warc, path, start=start) == whole[start:]


@pytest.mark.parametrize("packed", [True, False])
def test_of_a_clipped_file_the_whole_records_are_kept_and_the_clipped_one_is_named(
    tmp_path: Path, packed: bool
) -> None:
    whole = three(packed=packed)
    first, second, last = entries_of(read_warc, written(tmp_path, whole[:-40]))
    assert isinstance(first, Item)
    assert isinstance(second, Item)
    assert isinstance(last, Failed)
    assert (last.trouble, last.locator.row) == (Trouble.DAMAGED, 2)


def test_records_in_one_gzip_member_are_read_as_well(tmp_path: Path) -> None:
    entries = entries_of(read_warc, written(tmp_path, gzip.compress(three(packed=False))))
    assert [type(entry) for entry in entries] == [Item, Item, Item]


@pytest.mark.parametrize("body", [b"hello " * 1000, b"\x1f\x8b" + b"x" * 500, b"WARC/1.0\r\nX: y"])
def test_what_is_no_warc_is_one_failure(tmp_path: Path, body: bytes) -> None:
    (entry,) = entries_of(read_warc, written(tmp_path, body))
    assert isinstance(entry, Failed)
    assert entry.trouble is Trouble.DAMAGED


def test_a_header_of_megabytes_ends_it(tmp_path: Path) -> None:
    warc = Warc(gzip=False).response(URL, JPEG).response(URL, JPEG, ("X-Long", "z" * 5_000_000))
    item, last = entries_of(read_warc, written(tmp_path, warc.bytes()))
    assert isinstance(item, Item)
    assert isinstance(last, Failed)
    assert last.trouble is Trouble.DAMAGED


def test_a_record_that_claims_more_than_a_file_can_hold_ends_it(tmp_path: Path) -> None:
    whole = three(packed=False)
    first = int(whole.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    claimed = whole.replace(b"Content-Length: %d" % first, b"Content-Length: 9999999999", 1)
    (entry,) = entries_of(read_warc, written(tmp_path, claimed), limits=Limits(picture_bytes_max=2**40))
    assert isinstance(entry, Failed)
    assert "more than 100 times its size" in entry.detail


_WHOLE = (three(packed=True), three(packed=False))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_bytes_make_the_reader_fail(tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from(_WHOLE)))
    for _ in range(data.draw(st.integers(0, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = written(tmp_path, bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    for entry in entries_of(read_warc, path):
        assert isinstance(entry, Item | Failed | Passed | HostFile)
        assert not isinstance(entry, Item) or len(entry.body or b"") <= LIMITS.picture_bytes_max
