"""WARC, gzip or not: pictures with what was sent along with them, and robots.txt files as evidence of their day.

    response, 2xx, a picture      one item: address, date, header lines, bytes with their encodings undone
    response to /robots.txt       evidence of what that host said then (Common Crawl has them in `robotstxt`)
    resource, a picture           one item without header lines
    all else                      passed over: pages, requests, revisits (they have no body), conversions

A record is told for a picture by its first bytes, or because its server called it one: what cannot be read is named
rather than left out. Source: ISO 28500 (WARC 1.0 and 1.1); fastwarc reads it, but for the codings of HTTP, which are
undone here within a bound.

`after` counts records.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

from checker.datasets.bounded import EXPANSION_MAX, FREE_BYTES, READ_ERRORS, DamagedError, sentence
from checker.model import Locator
from checker.visits import FetchedFile
from crawler.addresses import join, storable
from crawler.archives.entries import ArchiveFile, Entry, Failed, HostFile, Item, Limits, Passed, Told, Trouble
from crawler.encoding import BodyDecoder, TooLargeError, UndecodableError

_ROBOTS_BYTES_MAX = 512_000
"""RFC 9309 2.5, as in a crawl."""
_HEADERS_BYTES_MAX = 65_536
_START = re.compile(rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....WEBP", re.DOTALL)
_READ_TYPES = WarcRecordType.response | WarcRecordType.resource
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]{0,1000})?\r\n")


def read_warc(file: ArchiveFile, *, start: int, limits: Limits) -> Iterator[Entry]:
    """The pictures and robots.txt files of a WARC; see `entries.Reader`."""
    record_no = -1
    try:
        bytes_left = file.path.stat().st_size * EXPANSION_MAX + FREE_BYTES
        with file.path.open("rb") as opened:
            for record_no, record in enumerate(_records(opened)):
                # What is not read of a record has to be unpacked all the same, to find the next one.
                bytes_left -= record.content_length
                if bytes_left < 0:
                    raise DamagedError(f"it holds more than {EXPANSION_MAX} times its size")
                if record_no >= start:
                    yield _entry(file, record_no, record, limits)
    except READ_ERRORS as error:
        detail = f"{sentence(error)}; the records before were read, get another copy for the rest"
        yield Failed(Locator(file=file.name, row=record_no + 1), record_no + 1, Trouble.DAMAGED, detail)


def _records(opened: BinaryIO) -> Iterator[WarcRecord]:
    return iter(ArchiveIterator(opened, parse_http=True, max_header_len=_HEADERS_BYTES_MAX, fsspec_args=False))


@dataclass(frozen=True, slots=True)
class _Response:
    """What one record tells of an answer."""

    url: str
    status: int | None
    """None: a resource, which has no answer."""
    headers: tuple[tuple[str, str], ...]
    at: datetime | None

    def get(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key.lower() == name)


def _entry(file: ArchiveFile, record_no: int, record: WarcRecord, limits: Limits) -> Entry:
    after = record_no + 1
    passed = Passed(after, "no-picture")
    if not record.headers.get("WARC-Type"):
        locator = Locator(file=file.name, row=record_no)
        return Failed(locator, after, Trouble.DAMAGED, "the record does not say of what type it is; it may be cut off")
    if not record.record_type & _READ_TYPES:
        return passed
    answer = _answer(record)
    if answer is None:
        return passed
    if answer.url.endswith("/robots.txt") and answer.url.count("/") == 3:
        return _robots(answer, record, after) or passed
    if answer.status is not None and not 200 <= answer.status < 300:
        return passed
    return _picture(file, record_no, record, answer, limits) or passed


def _picture(file: ArchiveFile, record_no: int, record: WarcRecord, answer: _Response, limits: Limits) -> Entry | None:
    """None: it is no picture."""
    after, locator = record_no + 1, Locator(file=file.name, row=record_no, key=record.record_id or None)
    called_one = _media_type(answer, record).startswith("image/")
    encoded = bool(answer.get("content-encoding") or answer.get("transfer-encoding"))
    start = b"" if called_one else _read(record, 64)
    if not called_one and (encoded or not _START.match(start)):
        return None
    raw = start + _read(record, limits.picture_bytes_max + 1 - len(start))
    if len(raw) > limits.picture_bytes_max:
        return Failed(locator, after, Trouble.TOO_LARGE, "it is larger than a picture may be (HIBS_PICTURE_BYTES_MAX)")
    if len(raw) < record.content_length or record.headers.get("WARC-Truncated"):
        return Failed(locator, after, Trouble.DAMAGED, "the record ends too early; get another copy of the file")
    try:
        body = _decoded(answer, raw, limits.picture_bytes_max)
    except TooLargeError:
        return Failed(locator, after, Trouble.TOO_LARGE, "it is larger than a picture may be (HIBS_PICTURE_BYTES_MAX)")
    except UndecodableError as error:
        return Failed(locator, after, Trouble.NOT_READ, f"{error}"[:200])
    told = Told(image_url=storable(answer.url))
    return Item(locator, after, body, told, answer.headers, answer.status, answer.at)


def _robots(answer: _Response, record: WarcRecord, after: int) -> Entry | None:
    """Evidence is only what has a date. None: it has none, or is no answer."""
    if answer.status is None or answer.at is None:
        return None
    body: bytes | None = None
    if 200 <= answer.status < 300:
        # A longer file is cut as a crawl cuts it. Of one that was cut by others the missing half is not known.
        raw = _read(record, _ROBOTS_BYTES_MAX)
        cut = record.headers.get("WARC-Truncated") or len(raw) < record.content_length
        if cut and len(raw) < _ROBOTS_BYTES_MAX:
            return HostFile(after, FetchedFile(answer.url, None, "cut-off", None, (), answer.at))
        try:
            body = _decoded(answer, raw, _ROBOTS_BYTES_MAX, keep_start=True)
        except UndecodableError:
            return HostFile(after, FetchedFile(answer.url, None, "bad-encoding", None, (), answer.at))
    return HostFile(after, FetchedFile(answer.url, answer.status, None, body, answer.headers, answer.at))


def _answer(record: WarcRecord) -> _Response | None:
    """None: its address is none of the web's, or it is no HTTP."""
    url = join((record.headers.get("WARC-Target-URI") or "").strip("<> \t"), "")  # WARC 1.0 allowed brackets
    if not url:
        return None
    if record.record_type == WarcRecordType.resource:
        return _Response(url, None, (), _date(record))
    head = record.http_headers
    if not record.is_http or head is None or not isinstance(head.status_code, int):
        return None
    lines = tuple((_storable(name), _storable(value)) for name, value in head)
    return _Response(url, head.status_code, lines, _date(record))


def _date(record: WarcRecord) -> datetime | None:
    """When it was fetched. A moment that has not come yet is a mistake of whoever wrote it."""
    at = record.record_date
    if not isinstance(at, datetime):
        return None
    at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    return at if datetime(1990, 1, 1, tzinfo=UTC) <= at <= datetime.now(UTC) else None


def _media_type(answer: _Response, record: WarcRecord) -> str:
    named = answer.get("content-type") if answer.status is not None else record.headers.get("Content-Type") or ""
    return named.partition(";")[0].strip().lower()


def _read(record: WarcRecord, size: int) -> bytes:
    """The next `size` bytes, fewer at its end."""
    body = bytearray()
    while len(body) < size and (piece := record.reader.read(min(size - len(body), 2**20))):
        body += piece
    return bytes(body)


def _decoded(answer: _Response, raw: bytes, bytes_max: int, *, keep_start: bool = False) -> bytes:
    if answer.get("transfer-encoding").lower().strip() == "chunked":
        raw = _dechunked(raw)
    decoder = BodyDecoder(answer.get("content-encoding"), bytes_max, keep_start=keep_start)
    decoder.feed(raw)
    return decoder.finish()


def _dechunked(raw: bytes) -> bytes:
    """RFC 9112 7.1. Many archives undo the chunks and keep the line that tells of them: then there are none."""
    body, position = bytearray(), 0
    while size := _CHUNK.match(raw, position):
        length = int(size[1], 16)
        if length == 0:
            return bytes(body)
        body += raw[size.end() : size.end() + length]
        position = size.end() + length + 2
    if position:
        raise UndecodableError("a chunk of the body is damaged (Transfer-Encoding)")
    return raw


def _storable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
