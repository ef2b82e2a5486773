"""Building the index of a data folder: new codes become segments, small segments become larger ones, erased codes go.

    lock -> what is hidden -> for each kind of code: build_kind.py

One build at a time, across processes. Readers never wait for it.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path

from checker.errors import DataError
from checker.index.aside import hidden_digest, hidden_images
from checker.index.build_kind import Built, Hidden, KindBuild
from checker.index.due import is_sweep_due, reason_to_build
from checker.index.live import INDEX_FOLDER, kind_folder
from checker.index.loaded import Loaded, load
from checker.model import CodeKind
from checker.records.folder import DataFolder, make_private_folder
from checker.settings import Settings

LOCK = "LOCK"
Progress = Callable[[CodeKind, float], None]
"""Told the share of a kind that is done, 0 to 1."""


def build(
    folder: DataFolder,
    settings: Settings,
    *,
    now: datetime,
    full: bool = False,
    if_due: bool = False,
    progress: Progress = lambda _, __: None,
) -> tuple[Built, ...]:
    """Bring the index of every kind of code up to date.

    Args:
        full: write everything anew, into as few segments as may be.
        if_due: only what is worth it (due.py); without it everything new is written, and everything erased goes.
    Raises:
        DataError: another build is at work, no space, or the folder cannot be written; the index stays as it was.
    """
    with _locked(folder.path):
        store, kinds = folder.store, folder.store.kinds()
        _remove_kinds_but(folder.path, kinds)
        loaded = {kind: load(kind_folder(folder.path, kind), store, kind) for kind in kinds}
        try:
            if if_due:
                kinds = tuple(k for k in kinds if loaded[k].damaged or reason_to_build(folder, settings, k, now=now))
            hidden = _hidden(folder, settings, loaded) if kinds else Hidden("", ())
            built = []
            for kind in kinds:
                sweep = full or not if_due or is_sweep_due(loaded[kind].manifest, now)
                one = KindBuild(folder.path, store, kind, loaded[kind], hidden, partial(progress, kind))
                built.append(one.run(now, full=full, sweep=sweep))
            return tuple(built)
        finally:
            for opened in loaded.values():
                opened.close()


def _hidden(folder: DataFolder, settings: Settings, loaded: Mapping[CodeKind, Loaded]) -> Hidden:
    """Which pictures are hidden. Asked of the whole index only where it is not what the last build knew already.

    A picture that is recorded after its opt-out has no code at all (`DataFolder.hides`).
    """
    codes = folder.hidden.turned_codes()
    radius = settings.opt_out_distance_bits_max
    digest = hidden_digest(codes, radius)
    if all(one.manifest and one.manifest.hidden == digest for one in loaded.values()):
        known = sorted({code_id for one in loaded.values() for code_id in one.aside})
        return Hidden(digest, sorted(set(folder.store.image_ids_of(known).values())))
    return Hidden(digest, hidden_images(folder, codes, distance_bits_max=radius))


@contextmanager
def _locked(data: Path) -> Iterator[None]:
    folder = data / INDEX_FOLDER
    make_private_folder(folder)
    try:
        lock = (folder / LOCK).open("w")
    except OSError as error:
        raise DataError(f"cannot write {folder / LOCK}: {error.strerror}; check the folder's permissions") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DataError(f"another build is at work in {folder}; wait for it, look-ups go on meanwhile") from error
        yield


def _remove_kinds_but(data: Path, kinds: tuple[CodeKind, ...]) -> None:
    """Remove what was built for kinds of which no code is stored any more: nothing is to be found by it."""
    kept = {kind_folder(data, kind).name for kind in kinds}
    for folder in (data / INDEX_FOLDER).iterdir():
        if folder.is_dir() and folder.name not in kept:
            for file in folder.iterdir():
                file.unlink()
            with suppress(OSError):  # a folder in it is not ours
                folder.rmdir()
