"""The half codes that the private check is answered from, read from the database; `daily.py` does so once a day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import numpy as np

from checker.index.aside import codes_of_images, hidden_images
from checker.index.halves import Codes, HalfCodes
from checker.index.search import Ids
from checker.index.tail import READ_AT_ONCE
from checker.model import PHASH256
from checker.records.folder import DataFolder
from checker.records.interfaces import Store
from checker.settings import Settings


def whole_codes(store: Store, hidden: Ids) -> Iterator[Codes]:
    """The phash256 codes of whole pictures, (n, 32) a block, without those with hidden ids (rising)."""
    after = 0
    while (block := store.whole_code_block_after(after, kind=PHASH256, count=READ_AT_ONCE)).code_ids:
        codes = np.frombuffer(block.bits, dtype=np.uint8).reshape(len(block.code_ids), -1)
        yield codes[~np.isin(block.code_ids, hidden)]
        after = block.code_ids[-1]


def shown_half_codes(folder: DataFolder, settings: Settings, *, now: datetime) -> HalfCodes:
    """The half codes of a data folder as it is now, without hidden, withheld and erased pictures.

    Those whose addresses a look-up withholds are left out whatever the reason, so that a row that goes tells none
    (docs/decisions.md, 9). Read from the database: a second and a half for a million pictures.

    Raises:
        DataError: the database cannot be used.
    """
    hidden = hidden_images(folder, folder.hidden.turned_codes(), distance_bits_max=settings.opt_out_distance_bits_max)
    left_out = sorted({*hidden, *folder.store.withheld_images(), *folder.images_at_hidden_addresses()})
    return HalfCodes.build(whole_codes(folder.store, codes_of_images(folder.store, left_out, PHASH256)), built_at=now)
