"""Rows with the codes of their pictures: made now, or known from before. As many at once as there are decoders."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from checker.datasets.samples import Found, Sample
from checker.fingerprint import Decoder, Depth, fingerprint_bytes
from checker.fingerprint.robust import RobustModel
from checker.model import Picture, Sha256, Unreadable
from checker.settings import Settings

_AHEAD = 4
"""Rows read in advance for each decoder, so that none waits for the disk; they lie in memory."""


class Known(Protocol):
    """Codes that were made before (`codes.KnownCodes`)."""

    def by_sha256(self, sha256: str) -> Picture | None:
        """The code of a picture with this digest. None: not known."""
        ...

    def by_url(self, url: str) -> Picture | None:
        """The code of the picture that lay at this address. None: not known."""
        ...


@dataclass(frozen=True, slots=True)
class CodedPicture:
    """One picture of a row, its pixels gone."""

    name: str | None
    picture: Picture | Unreadable
    sha256: Sha256 | None
    """Of its bytes; None: there were none."""
    named_as_picture: bool
    how: str
    """ "decoded", "sha256" or "url" where its code was known; "" where it has none."""
    with_every_code: Callable[[], Picture | Unreadable] | None = None
    """Decodes it once more for every kind of code. None: that would give no more."""


@dataclass(frozen=True, slots=True)
class CodedSample:
    """A row and the codes of its pictures."""

    sample: Sample
    """Without the bytes."""
    pictures: tuple[CodedPicture, ...]


@dataclass(frozen=True, slots=True)
class Coder:
    """Makes the codes of rows."""

    settings: Settings
    decoder: Decoder | None = None
    """In this process where None."""
    depth: Depth = Depth.HASH
    known: Known | None = None

    def code(self, samples: Iterator[Sample]) -> Iterator[CodedSample]:
        """The rows in their order."""
        if self.decoder is None:
            yield from map(self._coded, samples)
            return
        workers = self.settings.decode_workers
        with ThreadPoolExecutor(workers, thread_name_prefix="code") as threads:
            yield from _in_order(threads.submit, self._coded, samples, ahead=_AHEAD * workers)

    def _coded(self, sample: Sample) -> CodedSample:
        pictures = tuple(self._picture(found) for found in sample.found)
        if not pictures and sample.trouble is None and self.known is not None:
            pictures = self._told(sample, self.known)
        bare = Sample(sample.row, sample.path, sample.key, sample.url, sample.sha256, trouble=sample.trouble)
        return CodedSample(bare, pictures)

    def _picture(self, found: Found) -> CodedPicture:
        body = found.body
        if isinstance(body, Unreadable):
            return CodedPicture(found.name, body, None, found.named_as_picture, "")
        sha256 = Sha256(hashlib.sha256(body).hexdigest())
        known = self.known.by_sha256(sha256) if self.known else None
        if known is not None:
            return CodedPicture(found.name, known, sha256, found.named_as_picture, "sha256")
        picture = fingerprint_bytes(body, self.settings, decoder=self.decoder, depth=self.depth)
        if isinstance(picture, Unreadable):
            return CodedPicture(found.name, picture, sha256, found.named_as_picture, "")
        more = None
        if self.depth is Depth.HASH and RobustModel.of(self.settings) is not None:
            more = partial(fingerprint_bytes, body, self.settings, decoder=self.decoder, depth=Depth.WHOLE)
        return CodedPicture(found.name, picture, sha256, found.named_as_picture, "decoded", more)

    def _told(self, sample: Sample, known: Known) -> tuple[CodedPicture, ...]:
        """By what a row without a picture says of it."""
        if sample.sha256 and (picture := known.by_sha256(sample.sha256)):
            return (CodedPicture(None, picture, None, named_as_picture=True, how="sha256"),)
        if sample.url and (picture := known.by_url(sample.url)):
            return (CodedPicture(None, picture, None, named_as_picture=True, how="url"),)
        return ()


def _in_order(
    submit: Callable[[Callable[[Sample], CodedSample], Sample], Future[CodedSample]],
    work: Callable[[Sample], CodedSample],
    samples: Iterator[Sample],
    *,
    ahead: int,
) -> Iterator[CodedSample]:
    under_way: deque[Future[CodedSample]] = deque()
    try:
        for sample in samples:
            under_way.append(submit(work, sample))
            if len(under_way) >= ahead:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        for left in under_way:
            left.cancel()
