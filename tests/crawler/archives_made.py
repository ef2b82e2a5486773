"""Archives for tests, written with the standard library, pyarrow and warcio: never with the code that reads them."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from crawler.archives.entries import ArchiveFile, Entry, Limits, Reader

LIMITS = Limits(picture_bytes_max=2**20)
DATE = "2021-03-04T05:06:07Z"


def entries_of(read: Reader, path: Path, *, start: int = 0, limits: Limits = LIMITS, **more: object) -> list[Entry]:
    """All that a reader gives of a file."""
    return list(read(ArchiveFile(path, path.name), start=start, limits=limits, **more))  # type: ignore[arg-type]


def tar_bytes(members: Iterable[tuple[str, bytes | tarfile.TarInfo]], *, mode: str = "w", **more: object) -> bytes:
    """A tar of files, or of members as they are given."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode=mode, **more) as tar:  # type: ignore[call-overload]
        for name, body in members:
            if isinstance(body, tarfile.TarInfo):
                tar.addfile(body)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return written.getvalue()


def img2dataset_row(key: str, body: bytes, **more: object) -> dict[str, object]:
    """What img2dataset writes of a picture that it kept as it was."""
    return {
        "url": f"https://img.example/{key}.jpg",
        "caption": f"caption of {key}",
        "key": key,
        "status": "success",
        "error_message": None,
        "width": 10,
        "height": 10,
        "original_width": 10,
        "original_height": 10,
        "exif": "{}",
        "sha256": hashlib.sha256(body).hexdigest(),
        **more,
    }


def webdataset(samples: Mapping[str, bytes], **more: object) -> bytes:
    """A tar as img2dataset writes it: picture, text and .json of each sample."""
    members: list[tuple[str, bytes]] = []
    for key, body in samples.items():
        row = img2dataset_row(key, body, **more)
        members += [(f"{key}.jpg", body), (f"{key}.json", json.dumps(row).encode()), (f"{key}.txt", b"a text")]
    return tar_bytes(members)


class _WarcInMemory(WARCWriter):  # type: ignore[misc]
    """warcio leaves its temporary files open."""

    @staticmethod
    def _create_temp_file() -> io.BytesIO:
        return io.BytesIO()


class Warc:
    """A WARC that is being written."""

    def __init__(self, *, gzip: bool = True) -> None:
        self._written = io.BytesIO()
        self._writer = _WarcInMemory(self._written, gzip=gzip)

    def response(
        self,
        url: str,
        body: bytes,
        *headers: tuple[str, str],
        status: str = "200 OK",
        date: str = DATE,
        content_type: str = "image/jpeg",
    ) -> Warc:
        """Add what a server sent."""
        head = StatusAndHeaders(status, [("Content-Type", content_type), *headers], protocol="HTTP/1.1")
        return self.record(url, "response", body, http_headers=head, warc_headers_dict={"WARC-Date": date})

    def record(self, url: str, kind: str, body: bytes, **more: object) -> Warc:
        """Add a record of any type."""
        made = self._writer.create_warc_record(url, kind, payload=io.BytesIO(body), **more)
        self._writer.write_record(made)
        return self

    def bytes(self) -> bytes:
        """All of it."""
        return self._written.getvalue()
