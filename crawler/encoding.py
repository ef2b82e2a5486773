"""Undoes the Content-Encoding of a body within a bound: bytes come in pieces, and no more than the bound goes out.

1. The codings are those of `ACCEPT_ENCODING`; another one cannot be undone. At most two may be laid over each other.
2. Every coding gives its output in pieces of 64 KiB, and each layer counts against the bound, what arrives and what
   lies between two codings as well: a layer that swallows everything would otherwise never be stopped.
3. A compressed form that has no end cannot be undone: half a robots.txt would permit what its other half refuses.

The number of members is limited because each costs a new decoder: a gigabyte of empty ones has no output at all.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ACCEPT_ENCODING = "gzip, deflate, br, zstd"
"""What we ask for; all of it can be undone here."""

_PIECE_BYTES = 65_536
_CODINGS_MAX = 2
_MEMBERS_MAX = 10_000
"""bgzip begins a member every 64 KiB: 800 of them in 50 MiB."""
_ZSTD_WINDOW_LOG_MAX = 23
"""RFC 9659 3: as a content coding, no window of more than 8 MiB."""


class UndecodableError(Exception):
    """The body is not what its Content-Encoding says, or has a coding that we do not know."""


class TooLargeError(UndecodableError):
    """The body, decoded or before, has more bytes than it may have."""


class _Coding(Protocol):
    def decode(self, data: bytes) -> Iterator[bytes]:
        """Undo the next bytes, in pieces of bounded size."""
        ...

    def ended(self) -> bool:
        """Did nothing come yet, or is what came complete?"""
        ...


class BodyDecoder:
    """Undoes the codings of one body as it arrives.

    >>> decoder = BodyDecoder("gzip", bytes_max=100)
    >>> decoder.feed(zlib.compress(b"hello", wbits=31))
    True
    >>> decoder.finish()
    b'hello'
    """

    def __init__(self, encoding: str, bytes_max: int, *, keep_start: bool = False) -> None:
        """Begin a body.

        Args:
            encoding: the Content-Encoding, several lines joined by commas; empty: there was none.
            bytes_max: of the body, and of what any of its codings gives or takes.
            keep_start: a longer body is cut at `bytes_max` instead of refused.

        Raises:
            UndecodableError: a coding is not known, or there are too many.
        """
        self._codings = _codings_of(encoding)
        self._passed_bytes = [0] * (len(self._codings) + 1)
        self._bytes_max = bytes_max
        self._keep_start = keep_start
        self._body = bytearray()
        self._cut = False

    def feed(self, chunk: bytes) -> bool:
        """Take the next bytes. False: enough was read, and the rest need not come.

        Raises:
            UndecodableError: they are not of this coding.
            TooLargeError: there are too many of them, and `keep_start` is not set.
        """
        try:
            for begin in range(0, len(chunk), _PIECE_BYTES):
                if not self._cut:
                    self._pass(chunk[begin : begin + _PIECE_BYTES], 0)
        except _FullError:
            if not self._keep_start:
                raise TooLargeError(f"the body has more than {self._bytes_max:,} bytes") from None
            del self._body[self._bytes_max :]
            self._cut = True
        except (zlib.error, brotli.error, zstd.ZstdError) as error:
            raise UndecodableError(f"the body is not what its Content-Encoding says: {error}") from error
        return not self._cut

    def finish(self) -> bytes:
        """The whole body.

        Raises:
            UndecodableError: a coding has no end, and we did not cut it ourselves.
        """
        if not self._cut and not all(coding.ended() for coding in self._codings):
            raise UndecodableError("the compressed body ends too early")
        return bytes(self._body)

    def _pass(self, data: bytes, stage: int) -> None:
        """Hand bytes to a coding and its output to the one behind it; the last stage is the body."""
        self._passed_bytes[stage] += len(data)
        if stage == len(self._codings):
            self._body += data
        else:
            for piece in self._codings[stage].decode(data):
                self._pass(piece, stage + 1)
        if self._passed_bytes[stage] > self._bytes_max:
            raise _FullError


def decode_body(encoding: str, body: bytes, bytes_max: int) -> bytes:
    """Undo the Content-Encoding of a body that is there as a whole.

    Args:
        encoding: as of `BodyDecoder`.
        bytes_max: of the body, before and after decoding.

    Raises:
        UndecodableError: it is not what `encoding` says, or ends too early.
        TooLargeError: it is larger.
    """
    decoder = BodyDecoder(encoding, bytes_max)
    decoder.feed(body)
    return decoder.finish()


class _FullError(Exception):
    """A layer has passed on more than the bound."""


class _Gzip:
    """RFC 1952: members one after the other (2.2). Zero bytes behind one are padding, as gzip itself takes them."""

    def __init__(self) -> None:
        self._inflate: zlib._Decompress | None = None
        self._members = 0

    def decode(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._inflate is None or self._inflate.eof:
                data = data.lstrip(b"\0") if self._inflate else data
                if not data:
                    return
                self._members = _one_more(self._members)
                self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
            yield from _inflated(self._inflate, data)
            data = self._inflate.unused_data

    def ended(self) -> bool:
        return self._inflate is None or self._inflate.eof


class _Deflate:
    """RFC 9110 8.4.1.2 means the zlib format (RFC 1950); some servers send raw deflate all the same."""

    def __init__(self) -> None:
        self._inflate: zlib._Decompress | None = None

    def decode(self, data: bytes) -> Iterator[bytes]:
        if data and self._inflate is None:
            # RFC 1950 2.2: a zlib header has 8 in its lower half. A deflate block that begins so is one nobody writes.
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS if data[0] & 0x0F == 8 else -zlib.MAX_WBITS)
        if (
            self._inflate and not self._inflate.eof
        ):  # behind its end lies the checksum that raw deflate has no place for
            yield from _inflated(self._inflate, data)

    def ended(self) -> bool:
        return self._inflate is None or self._inflate.eof


class _Brotli:
    """RFC 7932. The window has 16 MiB at most; the extension to larger ones is off in this decoder."""

    def __init__(self) -> None:
        self._decompressor = brotli.Decompressor()
        self._begun = False

    def decode(self, data: bytes) -> Iterator[bytes]:
        if not data:
            return
        self._begun = True
        # Bytes behind the end are an error of the decoder itself. It overshoots the limit of a piece by up to a half.
        piece = self._decompressor.process(data, output_buffer_limit=_PIECE_BYTES)
        yield piece
        # Also when all input is used up: what it stands for may be waiting inside.
        while not self._decompressor.is_finished() and (piece or not self._decompressor.can_accept_more_data()):
            piece = self._decompressor.process(b"", output_buffer_limit=_PIECE_BYTES)
            yield piece

    def ended(self) -> bool:
        return not self._begun or self._decompressor.is_finished()


class _Zstd:
    """RFC 8878: frames one after the other (3.1)."""

    def __init__(self) -> None:
        self._frame: zstd.ZstdDecompressor | None = None
        self._frames = 0

    def decode(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._frame is None or self._frame.eof:
                self._frames = _one_more(self._frames)
                limits: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG_MAX}
                self._frame = zstd.ZstdDecompressor(options=limits)
            yield self._frame.decompress(data, _PIECE_BYTES)
            while not self._frame.eof and not self._frame.needs_input:
                yield self._frame.decompress(b"", _PIECE_BYTES)
            data = self._frame.unused_data if self._frame.eof else b""

    def ended(self) -> bool:
        return self._frame is None or self._frame.eof


def _inflated(inflate: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    while True:
        piece = inflate.decompress(data, _PIECE_BYTES)
        yield piece
        data = inflate.unconsumed_tail
        # A full piece may have used up the input and still have more to give.
        if inflate.eof or (not data and len(piece) < _PIECE_BYTES):
            return


def _one_more(members: int) -> int:
    if members >= _MEMBERS_MAX:
        raise UndecodableError(f"the compressed body has more than {_MEMBERS_MAX:,} members")
    return members + 1


def _codings_of(encoding: str) -> list[_Coding]:
    """The codings in the order in which they are undone: the last one that was applied comes first (RFC 9110 8.4)."""
    names = [name for part in encoding.split(",") if (name := part.strip().lower()) not in ("", "identity")]
    if unknown := [name for name in names if name not in _KINDS]:
        raise UndecodableError(f"Content-Encoding {unknown[0][:40]!r} is none of {ACCEPT_ENCODING}")
    if len(names) > _CODINGS_MAX:
        raise UndecodableError(f"{len(names)} codings are laid over each other; at most {_CODINGS_MAX} are undone")
    return [_KINDS[name]() for name in reversed(names)]


_KINDS: dict[str, Callable[[], _Coding]] = {
    "gzip": _Gzip,
    "x-gzip": _Gzip,  # RFC 9110 8.4.1.3: the same
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}
"""https://www.iana.org/assignments/http-parameters, content codings."""
