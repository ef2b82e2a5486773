"""One data folder: the corpus, its frontier, and what people asked to have hidden.

corpus.db      what was seen (this module opens it)
registry.db    what people asked (`registry.py`); read here, never copied, so that an opt-out binds at once
log.key        signs the log; 0600, outside the databases
"""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from checker.errors import DataError
from checker.model import PHASH256, Picture, Sighting
from checker.records.database import Durability, open_database
from checker.records.frontier import CorpusFrontier
from checker.records.hidden import HiddenAddresses, HiddenCodes, uncovered
from checker.records.schema import CORPUS
from checker.records.store import CorpusStore

CORPUS_FILE = "corpus.db"


class DataFolder:
    """An open data folder. A context manager; safe to share between threads."""

    def __init__(self, path: Path, store: CorpusStore, frontier: CorpusFrontier) -> None:
        self.path = path
        self.store = store
        self.frontier = frontier
        self.hidden = HiddenCodes(path, PHASH256)
        self.hidden_addresses = HiddenAddresses(path)

    @classmethod
    def open(cls, path: Path, *, create: bool) -> DataFolder:
        """Open the folder; with `create` it is made when it is missing, readable by its owner alone.

        Raises:
            DataError: there is no data folder, or it cannot be used.
            NewerDataError: a newer version wrote it.
        """
        if not create and not is_file(path / CORPUS_FILE):
            raise DataError(
                f"{path} is no data folder (it has no {CORPUS_FILE}); make one with `hibs crawl` or `hibs ingest`"
            )
        make_private_folder(path)
        database = open_database(path / CORPUS_FILE, CORPUS, durability=Durability.MANY_READERS)
        lock = threading.RLock()
        return cls(path, CorpusStore(database, lock), CorpusFrontier(database, lock))

    def hides(self, picture: Picture, *, distance_bits_max: int, urls: Iterable[str | None] = ()) -> tuple[str, ...]:
        """Who opted this picture, a part of it, or an address where it stands, out?

        Then it is recorded as seen, with no code to find it by. Any variant counts: who opted a photo out opted out
        the screenshot that shows it.

        Args:
            urls: where it is met, and of the pages that show it.
        Returns:
            Numbers of the opt-outs, sorted. Empty: nobody did.
        """
        codes = [code.bits for code in picture.fingerprints if code.kind == PHASH256]
        by_code = self.hidden.hiding(codes, distance_bits_max=distance_bits_max)
        return tuple(sorted({*by_code, *self.hidden_addresses.hiding(urls)}))

    def shown(self, sightings: Iterable[Sighting]) -> tuple[Sighting, ...]:
        """Those whose addresses answers may name: no opt-out names the host or a part of it."""
        return uncovered(self.hidden_addresses.by_address(), sightings)

    def images_at_hidden_addresses(self) -> list[int]:
        """Pictures of which nothing is left to show, because every place is at an address that was opted out, or gone.

        For lists that are made once a day: rising.
        """
        images = self.store.images_on(self.hidden_addresses.hosts())
        sightings = self.store.sightings_of(sorted(images))
        return sorted(
            image_id for image_id, seen in sightings.items() if all(one.gone_since for one in self.shown(seen))
        )

    @contextmanager
    def exclusive(self, work: str) -> Iterator[None]:
        """Hold the folder for one `work` ("crawl") at a time, across processes.

        Raises:
            DataError: another process does this work here now.
        """
        with (self.path / f"{work}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise DataError(
                    f"another {work} is at work in {self.path}; wait for it or use another folder"
                ) from error
            yield

    def close(self) -> None:
        """Close the databases."""
        self.hidden.close()
        self.hidden_addresses.close()
        self.store.close()

    def __enter__(self) -> DataFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def is_file(path: Path) -> bool:
    """Is there such a file? Raises DataError when that cannot be told (a folder above it is closed)."""
    try:
        return path.is_file()
    except (OSError, ValueError) as error:
        raise DataError(f"cannot look into {path.parent}: {error}; check the path and its permissions") from error


def make_private_folder(path: Path) -> None:
    """Make the folder when it is missing, readable by its owner alone.

    Raises:
        DataError: it is a file, or cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot make the data folder {path}: {error.strerror}; give another path") from error
