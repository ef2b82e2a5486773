"""webdataset: a tar (or .tar.gz) in which neighbouring members with one stem are one sample.

    000000042.jpg  000000042.json  000000042.txt    ->  one item, key "000000042"

1. Members are read in their order and never written anywhere, so that a name can lead nowhere; links are not followed.
2. The stem ends at the first dot of the file's name, as webdataset has it. `.json` is what img2dataset says of the
   sample, `.txt` or `.caption` its text. Where there is no `.json`, the Parquet file beside the tar is asked.
3. A tar ends with zeros (POSIX pax, "ustar Interchange Format"). One that ends otherwise was cut off or is damaged.

`after` counts samples.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import cast

from checker.datasets.bounded import READ_ERRORS, BoundedFile, sentence
from checker.datasets.columns import CAPTION_CHARACTERS_MAX, KEY_CHARACTERS_MAX, downloaded, match_columns, text_of
from checker.datasets.tar_members import DOCUMENT_BYTES_MAX, STEM, body_of, is_file, members_of, read_document
from checker.fingerprint.pictures import OTHER_PICTURE_SUFFIXES, PICTURE_SUFFIXES
from checker.model import Locator
from crawler.archives.columns import told_of
from crawler.archives.entries import NOTHING_TOLD, ArchiveFile, Entry, Failed, Item, Limits, Passed, Told, Trouble
from crawler.archives.shards import told_by_shard

_SAMPLE_MEMBERS_MAX = 32
"""Of one sample, so that its pictures fit into memory; what comes after is the next sample of the same key."""
_SAMPLE_BYTES_MAX = 64 * 2**20
_PICTURES = PICTURE_SUFFIXES | OTHER_PICTURE_SUFFIXES
_CAPTIONS = frozenset({".txt", ".caption"})


def read_tar(file: ArchiveFile, *, start: int, limits: Limits) -> Iterator[Entry]:
    """The pictures of a tar; see `entries.Reader`."""
    reader = _TarReader(file, start, limits)
    try:
        yield from reader.entries()
    except (*READ_ERRORS, tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
        # ValueError: names that are no text, numbers that are none. RecursionError: headers that name headers.
        yield from reader.rest()
        detail = f"{sentence(error)}; what came before it was read, get another copy for the rest"
        yield Failed(Locator(file=file.name, row=reader.samples), reader.samples, Trouble.DAMAGED, detail)


@dataclass(slots=True)
class _Sample:
    """Members with one stem."""

    key: str
    pictures: list[tuple[str, bytes | Trouble]] = field(default_factory=list)
    """Name, and the bytes or why there are none."""
    document: Mapping[str, object] | None = None
    caption: str | None = None
    members: int = 0
    bytes: int = 0


class _TarReader:
    def __init__(self, file: ArchiveFile, start: int, limits: Limits) -> None:
        self._file = file
        self._start = start
        self._limits = limits
        self._sample: _Sample | None = None
        self.samples = 0
        """That were given or passed."""

    def entries(self) -> Iterator[Entry]:
        with BoundedFile(self._file.path) as opened:
            tar = tarfile.open(fileobj=cast("tarfile._Fileobj", opened), mode="r:")  # noqa: SIM115 - it holds nothing
            for member in members_of(tar, opened):
                stem = STEM.fullmatch(member.name)
                if stem is None or member.isdir():
                    continue
                yield from self._take(tar, opened, member, stem[1], f".{stem[2].rpartition('.')[2].lower()}")
            yield from self.rest()

    def rest(self) -> Iterator[Entry]:
        """The sample that was being read."""
        sample, self._sample = self._sample, None
        if sample is None:
            return
        row, self.samples = self.samples, self.samples + 1
        if row >= self._start:
            yield from self._given(sample, row)

    def _take(
        self, tar: tarfile.TarFile, opened: BoundedFile, member: tarfile.TarInfo, stem: str, suffix: str
    ) -> Iterator[Entry]:
        sample = self._sample
        full = sample and (sample.members >= _SAMPLE_MEMBERS_MAX or sample.bytes + member.size > _SAMPLE_BYTES_MAX)
        if sample is None or sample.key != stem or full:
            yield from self.rest()
            sample = self._sample = _Sample(stem)
        sample.members += 1
        if self.samples < self._start:
            return
        if suffix in _PICTURES:
            sample.pictures.append((member.name, body := self._picture(tar, opened, member)))
            sample.bytes += len(body) if isinstance(body, bytes) else 0
        elif suffix == ".json" and is_file(member) and member.size <= DOCUMENT_BYTES_MAX:
            sample.document = read_document(body_of(tar, opened, member))
        elif suffix in _CAPTIONS and is_file(member) and member.size <= DOCUMENT_BYTES_MAX:
            sample.caption = text_of(body_of(tar, opened, member), characters_max=CAPTION_CHARACTERS_MAX)

    def _picture(self, tar: tarfile.TarFile, opened: BoundedFile, member: tarfile.TarInfo) -> bytes | Trouble:
        if not is_file(member):
            return Trouble.NOT_READ
        if member.size > self._limits.picture_bytes_max:
            return Trouble.TOO_LARGE
        return body_of(tar, opened, member)

    def _given(self, sample: _Sample, row: int) -> Iterator[Entry]:
        locator = Locator(file=self._file.name, row=row, key=sample.key[:KEY_CHARACTERS_MAX])
        if not sample.pictures:
            yield self._without_picture(sample, locator)
            return
        told = self._told(sample)
        for number, (name, body) in enumerate(sample.pictures, 1):
            # Behind a picture that is not its last, a sample is not passed.
            after = self.samples if number == len(sample.pictures) else row
            if isinstance(body, Trouble):
                yield Failed(locator, after, body, _DETAILS[body].format(name=name[:100]))
            else:
                yield Item(locator, after, body, told)

    def _without_picture(self, sample: _Sample, locator: Locator) -> Entry:
        document = sample.document or {}
        columns = match_columns(document)
        if columns.url is not None and downloaded(document, columns):
            detail = "its .json is there and its picture is not; get another copy of the archive"
            return Failed(locator, self.samples, Trouble.NO_PICTURE, detail)
        return Passed(self.samples, "not-downloaded" if columns.url is not None else "no-picture")

    def _told(self, sample: _Sample) -> Told:
        document = sample.document
        if document is None:
            document = self._shard.get(sample.key.rpartition("/")[2])
        columns = match_columns(document or {})
        told = told_of(document or {}, columns, url_characters_max=self._limits.url_characters_max)
        if told.caption is None and sample.caption is not None:
            return Told(told.image_url, told.page_url, sample.caption, told.sha256, told.resized)
        return told if told != NOTHING_TOLD else NOTHING_TOLD

    @cached_property
    def _shard(self) -> Mapping[str, Mapping[str, object]]:
        name = self._file.path.name
        return told_by_shard(self._file.path.with_name(f"{name[: name.lower().index('.t')]}.parquet"))


def beside(path: Path) -> Mapping[str, object] | None:
    """What a `.json` file beside a picture says of it (img2dataset's `files`). None: nothing."""
    try:
        with path.with_suffix(".json").open("rb") as file:
            body = file.read(DOCUMENT_BYTES_MAX + 1)
    except (OSError, ValueError):
        return None
    return read_document(body) if len(body) <= DOCUMENT_BYTES_MAX else None


_DETAILS = {
    Trouble.NOT_READ: "{name} is a link or no ordinary file; links are not followed",
    Trouble.TOO_LARGE: "{name} is larger than a picture may be (HIBS_PICTURE_BYTES_MAX)",
}
