"""Feeds and datasets for tests of `hibs honour`, written with the standard library and pyarrow."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import typer
from feed_simulator import ALL, follow, opened
from typer.testing import CliRunner, Result

from checker.commands import fingerprint as fingerprint_command
from checker.commands import honour as honour_command
from checker.fingerprint import fingerprint_file
from checker.model import Unreadable
from checker.optout.entry import Evidence
from checker.settings import Settings

NAMES = ("chelsea", "coffee", "rocket", "coins", "camera")
"""Of the committed photos; the first and the fourth are opted out in `make_feed`."""


def hibs(*arguments: str | Path) -> Result:
    """Run a command as `hibs` does."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command("honour", cls=honour_command.HonourCommand)(honour_command.honour)
    app.command("fingerprint")(fingerprint_command.fingerprint)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def make_feed(folder: Path, images: Path, names: Iterable[str] = ("chelsea", "coins")) -> Path:
    """A feed, synced now, in which these photos are opted out; a second call adds to it."""
    now = datetime.now(UTC)
    with opened(folder / "data", now) as opt_outs:
        for name in names:
            picture = fingerprint_file(images / f"{name}.jpg", Settings())
            assert not isinstance(picture, Unreadable)
            opt_outs.record([picture.fingerprints], uses=ALL, evidence=Evidence.PICTURE, now=now)
    follow(folder / "data", folder / "feed", now)
    return folder / "feed"


def tar_of(members: Mapping[str, bytes], *, mode: str = "w", **more: object) -> bytes:
    """A tar of files."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode=mode, **more) as tar:  # type: ignore[call-overload]
        for number, (name, body) in enumerate(members.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.uname = len(body), 1_600_000_000 + number, "somebody"
            tar.addfile(member, io.BytesIO(body))
    return written.getvalue()


def samples(images: Path, names: Iterable[str] = NAMES) -> dict[str, bytes]:
    """Members of a webdataset: picture, caption and .json of each."""
    members: dict[str, bytes] = {}
    for number, name in enumerate(names):
        key, body = f"{number:09d}", (images / f"{name}.jpg").read_bytes()
        members[f"{key}.jpg"] = body
        members[f"{key}.txt"] = name.encode()
        members[f"{key}.json"] = json.dumps({"key": key, "url": f"https://{name}.example/{key}.jpg"}).encode()
    return members


def make_shard(folder: Path, images: Path, name: str = "00000") -> Path:
    """img2dataset's tar, table and counts; of its six rows the last was not downloaded."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.tar").write_bytes(tar_of(samples(images)))
    rows = [
        {
            "url": f"https://{one}.example/{number:09d}.jpg",
            "key": f"{number:09d}",
            "status": "success" if one != "gone" else "failed_to_download",
            "error_message": None if one != "gone" else "404",
            "sha256": hashlib.sha256((images / f"{one}.jpg").read_bytes()).hexdigest() if one != "gone" else None,
        }
        for number, one in enumerate((*NAMES, "gone"))
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet", row_group_size=2)
    counts = {"count": 6, "successes": 5, "failed_to_download": 1, "failed_to_resize": 0, "duration": 2.5}
    (folder / f"{name}_stats.json").write_text(json.dumps({**counts, "status_dict": {"success": 5, "404": 1}}))
    return folder


def decisions_in(told: Result) -> list[tuple[str, str]]:
    """Decision and reason of every row, from the lines of --json."""
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    return [(row["hibs_decision"], row["hibs_reason"]) for row in rows]
