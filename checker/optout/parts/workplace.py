"""Where copies and decisions are made until all parts are done, and what makes a run that was killed go on.

    .DEST.partial/run.json       which run this is: feed root, uses, settings, sources
    .DEST.partial/data/          becomes DEST
    .DEST.partial/decisions/     becomes DEST.decisions
    .DEST.partial/done/          one file a finished part, written last: input, output, numbers

Another run than that of run.json starts from nothing. So does a part whose input or output is not what its file in
done/ says.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from checker.datasets.parts import Part, PartKind, stamp_of
from checker.datasets.reading import size_and_digest
from checker.errors import InputError
from checker.optout.feed_folder import write_whole
from checker.optout.parts.copies import Copied
from checker.optout.parts.honour_part import HonouredPart
from checker.optout.parts.tally import Tally


def refuse_inside(path: Path, folders: Sequence[Path]) -> None:
    """Refuse to write where data or the feed lies: the next run would take it for data, or find a damaged feed.

    Raises:
        InputError: `path` lies inside one of these, or is one.
    """
    for folder in folders:
        if path.resolve().is_relative_to(folder.resolve()):
            how = "would overwrite" if path.resolve() == folder.resolve() else "lies inside"
            raise InputError(f"{path} {how} {folder}; choose another place")


class Workplace:
    """An unfinished destination. Made by `workplace`."""

    def __init__(self, partial: Path, dest: Path) -> None:
        self._partial = partial
        self._dest = dest
        self.data = partial / "data"
        """Copies go here, under their final names."""

    def decisions_of(self, part: Part) -> Path:
        """Where the decisions about a part go."""
        return self._partial / "decisions" / f"{part.name or 'files'}.parquet"

    def _done(self, part: Part) -> Path:
        return self._partial / "done" / f"{part.name or 'files'}.json"

    def keep_only(self, parts: Sequence[Part]) -> None:
        """Delete what unfinished parts left."""
        owners = {part.name: part for part in parts}
        for part in parts:
            for companion in (part.table, part.stats):
                if companion is not None:
                    owners[(Path(part.name).parent / companion.name).as_posix()] = part
        finished = {part.name for part in parts if self._done(part).is_file()}
        for folder, _, files in os.walk(self.data):
            for name in files:
                path = Path(folder, name)
                owner = _owner(path.relative_to(self.data), owners)
                if owner is None or owner.name not in finished:
                    path.unlink()

    def done(self, part: Part) -> HonouredPart | None:
        """What became of a part that an earlier run finished, where its input and output are still those."""
        try:
            document = json.loads(self._done(part).read_bytes())
        except (OSError, ValueError):
            return None
        honoured = document["honoured"]
        same = document["stamp"] == stamp_of(part) and self.decisions_of(part).is_file()
        if same and part.kind is not PartKind.FOLDER:
            same = size_and_digest(part) == (honoured["bytes"], honoured["sha256"])
        copied = honoured["copied"]
        files = [(copied["name"], copied["sha256"])] if copied["sha256"] else []
        beside = Path(copied["name"]).parent
        files += [((beside / name).as_posix(), sha256) for name, sha256 in copied["companions"]]
        if not same or any(_digest(self.data / name) != sha256 for name, sha256 in files):
            return None
        companions = tuple((name, sha256) for name, sha256 in copied["companions"])
        return HonouredPart(
            part.kind,
            honoured["path"],
            honoured["bytes"],
            honoured["sha256"],
            Tally.of(honoured["tally"]),
            honoured["not_downloaded"],
            Copied(copied["name"], copied["bytes"], copied["sha256"], companions),
        )

    def restart(self, part: Part) -> None:
        """Forget what was done of a part."""
        self._done(part).unlink(missing_ok=True)
        self.decisions_of(part).parent.mkdir(parents=True, exist_ok=True)

    def finish(self, part: Part, honoured: HonouredPart) -> None:
        """Note that a part is done; all its files are under their names by now."""
        copied = honoured.copied
        assert copied is not None, "a workplace is for copies"
        document = {
            "stamp": stamp_of(part),
            "honoured": {
                "path": honoured.path,
                "bytes": honoured.bytes,
                "sha256": honoured.sha256,
                "tally": honoured.tally.to_dict(),
                "not_downloaded": honoured.not_downloaded,
                "copied": {**copied.to_dict(), "name": copied.name, "companions": copied.companions},
            },
        }
        write_whole(self._done(part), json.dumps(document).encode())

    def complete(self) -> None:
        """Give everything its final name."""
        self.data.mkdir(exist_ok=True)
        (self._partial / "decisions").replace(_decisions(self._dest))
        self.data.replace(self._dest)


def _owner(path: Path, owners: Mapping[str, Part]) -> Part | None:
    """The part that a file below the destination belongs to."""
    for name in (path.as_posix(), *(parent.as_posix() for parent in path.parents)):
        found = owners.get("" if name == "." else name)
        if found is not None:
            return found
    return None


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _decisions(dest: Path) -> Path:
    return dest.with_name(f"{dest.name}.decisions")


@contextmanager
def workplace(dest: Path, not_in: Sequence[Path], run: Mapping[str, Any]) -> Iterator[Workplace]:
    """A destination to be filled; `dest` and `dest.decisions` appear when it is complete.

    What was done stays for the next run with the same `run` where this one is broken off.

    Args:
        not_in: the sources and the feed.
        run: what decides about the result; JSON.
    Raises:
        InputError: `dest` lies inside one of these, exists and is not empty, or cannot be written; or another run is
            filling it.
    """
    refuse_inside(dest, not_in)
    partial = dest.with_name(f".{dest.name}.partial")
    try:
        partial.mkdir(parents=True, exist_ok=True)
        with _held(partial, dest):
            same = _run_of(partial) == json.loads(json.dumps(run))
            if same:
                _undo_half_complete(partial, dest)
            for there in (dest, _decisions(dest)):
                if os.path.lexists(there) and (there.is_symlink() or not there.is_dir() or any(there.iterdir())):
                    if not same:
                        shutil.rmtree(partial)
                    raise InputError(f"{there} exists and is not empty; choose another folder or empty this one")
            if not same:
                _empty(partial)
                write_whole(partial / "run.json", json.dumps(run).encode())
            for name in ("data", "decisions", "done"):
                (partial / name).mkdir(exist_ok=True)
            yield Workplace(partial, dest)
            if dest.is_dir() and not (partial / "data").exists():
                shutil.rmtree(partial)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(f"cannot write to {dest}: {error.strerror}; make room or choose another folder") from error


def _run_of(partial: Path) -> Any:
    try:
        return json.loads((partial / "run.json").read_bytes())
    except (OSError, ValueError):
        return None


def _undo_half_complete(partial: Path, dest: Path) -> None:
    """A run was killed between its last two renames: what they moved is proved again like the rest."""
    for name, there in (("decisions", _decisions(dest)), ("data", dest)):
        if not (partial / name).exists() and there.is_dir() and not there.is_symlink():
            there.replace(partial / name)


def _empty(folder: Path) -> None:
    for left in folder.iterdir():
        shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()


@contextmanager
def _held(partial: Path, dest: Path) -> Iterator[None]:
    """Held against other runs."""
    held = os.open(partial, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"another run is filling {dest}; wait for it or choose another folder") from error
        yield
    finally:
        os.close(held)
