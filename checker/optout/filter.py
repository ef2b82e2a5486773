"""`OptOutFilter`: the decisions of `hibs honour`, as one object in somebody's own pipeline.

    dataset.filter(OptOutFilter("feed"))                     Hugging Face datasets, also with batched=True
    web_dataset.select(OptOutFilter("feed"))                 webdataset
    OptOutFilter("feed").decide_batch(batch)                 Arrow: Parquet, img2dataset's tables
    OptOutFilter("feed").decide(url=..., data=...)           one picture

It reads and verifies the feed once, when it is made, and carries what it needs: pickled to another process or
machine it decides the same without the folder. Its pickle changes with the feed, since libraries that remember
results by the pickle of a function would otherwise serve those of an older feed. The signed time is part of it for
the same reason: results of a stale feed (all review) must not outlive its refresh.

As a filter it keeps what is `keep` and nothing else: doubt is never consent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from checker.datasets.columns import Named
from checker.errors import InputError
from checker.fingerprint import fingerprint_bytes
from checker.fingerprint.library import fingerprint
from checker.model import Fingerprint, Use
from checker.optout.filter_rows import SAMPLE_KEY, GivenColumns, GivenRow, is_batch, read_sample
from checker.optout.honour import Action, Decision, Reason, read_table, strictest
from checker.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa


def utc_now() -> datetime:
    """The clock of a filter that is given none."""
    return datetime.now(UTC)


class Answers(list[bool]):
    """One answer a row of a batch. It is no answer itself: a row of lists of pictures looks like a batch, and a list
    that holds a no must not count as a yes."""

    def __bool__(self) -> bool:
        raise InputError(
            "the filter was asked about a batch, and its list of answers was taken for one answer; with columns that "
            "hold lists of pictures, give batches (batched=True)"
        )


class OptOutFilter:
    """Decides about pictures, one at a time or in batches.

    A feed signed longer ago than `feed_age_days_max` decides nothing any more: all is `review`, `feed-stale`. That is
    asked at every decision, since a pipeline may run for weeks.
    """

    def __init__(
        self,
        feed_dir: str | PathLike[str],
        *,
        settings: Settings | None = None,
        uses: Collection[Use] | None = None,
        clock: Callable[[], datetime] = utc_now,
        url_column: str | None = None,
        picture_column: str | None = None,
    ) -> None:
        """Read and verify the feed.

        Args:
            feed_dir: a folder that `hibs feed sync` keeps.
            settings: limits; the defaults where None.
            uses: what the pictures are for; opt-outs about other uses do not count. None: every opt-out counts.
            clock: gives the time, aware and in UTC. It is pickled along, so it must be a module's function.
            url_column: where rows have their address; None: found by its name (url, image_url, ...).
            picture_column: where rows have their picture; None: found by its name (image, jpg, ...).
        Raises:
            VerificationError: the feed does not hold.
            InputError: there is no feed.
        """
        self._settings = settings or Settings()
        self._clock = clock
        self._named = Named(url=url_column, image=picture_column)
        self._table = read_table(Path(feed_dir), self._settings, uses=uses)

    @property
    def feed_size(self) -> int:
        """Entries of the feed in all."""
        return self._table.feed_size

    @property
    def feed_root(self) -> str:
        """Root of the feed, hex digits."""
        return self._table.feed_root

    def decide(
        self,
        *,
        url: str | None = None,
        data: bytes | None = None,
        codes: Sequence[Fingerprint] | None = None,
    ) -> Decision:
        """Decide about one picture, by its address and by its bytes or its codes.

        An address that no entry names decides nothing: alone it gives `not-checked`. Bytes that cannot be read give
        `not-checked` as well, never `keep`.

        Raises:
            InputError: nothing was given, or both bytes and codes, or no code.
        """
        both, nothing = data is not None and codes is not None, url is None and data is None and codes is None
        if both or nothing or (codes is not None and not codes):
            raise InputError(
                "decide needs either data=, the bytes of a picture, or codes=, at least one code; or url= alone"
            )
        if self._is_stale():
            return self._stale()
        given = GivenRow(url=url, code=None, pictures=() if data is None else (data,))
        by_codes = None if codes is None else self._table.decide_codes(codes)
        return self._decided(given, by_codes)

    def decide_batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Add the columns `hibs_decision`, `hibs_reason`, `hibs_entry`, `hibs_code`, `hibs_distance_bits`,
        `hibs_feed_size` to a batch (or table) of rows; such columns of an earlier run are replaced.

        Read are, in any case: an address (`url`, ...), a code (`phash256`, 32 bytes or hex digits), else a picture
        (`image`, `jpg`, ...: bytes, or a struct with `bytes`).

        Raises:
            InputError: no column holds any of these.
        """
        import pyarrow as pa

        columns = GivenColumns.of(batch.schema.names, self._named)
        values = {name: batch.column(name).to_pylist() for name in columns.read}
        decisions = [decision.to_dict() for decision in self._decide_columns(values, columns, batch.num_rows)]
        types = (pa.string(), pa.string(), pa.int64(), pa.string(), pa.int32(), pa.int64())
        added = self._stale().to_dict()
        batch = batch.select([name for name in batch.schema.names if name not in added])
        for name, kind in zip(added, types, strict=True):
            batch = batch.append_column(name, pa.array([one[name] for one in decisions], type=kind))
        return batch

    def __call__(self, row: Any) -> bool | list[bool]:
        """Is this row to be kept? Of a batch, a list with an answer for each row. `keep` alone is a yes.

        Args:
            row: a row or a batch of Hugging Face datasets, a sample of webdataset, or an Arrow batch or table.
        Raises:
            InputError: it holds nothing that could be decided by, or objects that are no pictures.
        """
        if isinstance(row, Mapping):
            if SAMPLE_KEY in row:
                return self._keeps(read_sample(row))
            columns = GivenColumns.of(list(row), self._named)
            if not is_batch(row, columns):
                return self._keeps(columns.row(row))
            length = len(row[columns.read[0]])
            return Answers(one.action is Action.KEEP for one in self._decide_columns(row, columns, length))
        if hasattr(row, "schema") and hasattr(row, "num_rows"):
            return Answers(one == Action.KEEP for one in self.decide_batch(row).column("hibs_decision").to_pylist())
        raise InputError(f"a row is a mapping or an Arrow batch, not {type(row).__name__}; put the filter elsewhere")

    def _keeps(self, row: GivenRow) -> bool:
        return not self._is_stale() and self._decided(row, self._by_code(row)).action is Action.KEEP

    def _decide_columns(self, values: Mapping[str, Any], columns: GivenColumns, length: int) -> Iterable[Decision]:
        if self._is_stale():
            return [self._stale()] * length
        rows = [columns.row({name: values[name][number] for name in columns.read}) for number in range(length)]
        codes = b"".join(row.code.bits for row in rows if row.code is not None)
        by_codes = iter(self._table.decide_codes_many(np.frombuffer(codes, dtype=np.uint64).reshape(-1, 4)))
        return [self._decided(row, None if row.code is None else next(by_codes)) for row in rows]

    def _by_code(self, row: GivenRow) -> Decision | None:
        return None if row.code is None else self._table.decide_codes([row.code])

    def _decided(self, row: GivenRow, by_code: Decision | None) -> Decision:
        """The address first; then a code, which spares decoding; then the pictures, of which the strictest counts."""
        by_address = self._table.decide_address(row.url) if row.url is not None else None
        if by_address is not None and by_address.action is Action.DROP:
            return by_address
        if by_code is not None:
            found = [by_code]
        elif row.pictures:
            found = [self._by_picture(picture) for picture in row.pictures]
        else:
            found = [Decision(Action.NOT_CHECKED, Reason.NO_PICTURE, self._table.feed_size)]
        return strictest([by_address, *found] if by_address else found)

    def _by_picture(self, picture: Any) -> Decision:
        if picture is None:
            return Decision(Action.NOT_CHECKED, Reason.NO_PICTURE, self._table.feed_size)
        if isinstance(picture, bytes):
            return self._table.decide_picture(fingerprint_bytes(picture, self._settings))
        return self._table.decide_picture(fingerprint(picture, settings=self._settings))

    def _is_stale(self) -> bool:
        age_max = timedelta(days=self._settings.feed_age_days_max)
        return self._table.is_stale(now=self._clock(), age_max=age_max)

    def _stale(self) -> Decision:
        return Decision(Action.REVIEW, Reason.FEED_STALE, self._table.feed_size)
