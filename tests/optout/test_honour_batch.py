"""`OptOutFilter` in the pipelines of others: rows, batches, samples, Arrow tables."""

from __future__ import annotations

import functools
import json
import pickle
from collections.abc import Callable
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from feed_simulator import ALL, code, follow, opened
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from checker.datasets.columns import NOTHING_NAMED
from checker.errors import InputError
from checker.fingerprint import fingerprint_bytes
from checker.model import PHASH256, Unreadable
from checker.optout.entry import USES, Evidence, OptOut
from checker.optout.filter import OptOutFilter
from checker.optout.filter_rows import GivenColumns, read_sample
from checker.settings import Settings

MakeFilter = Callable[..., OptOutFilter]


def same_moment(moment: datetime) -> datetime:
    """A clock that stands; with `functools.partial` it can be pickled."""
    return moment


@pytest.fixture
def chelsea(images: Path) -> bytes:
    """A photo that was opted out."""
    return (images / "chelsea.jpg").read_bytes()


@pytest.fixture
def coffee(images: Path) -> bytes:
    """One that was not."""
    return (images / "coffee.jpg").read_bytes()


@pytest.fixture
def make(tmp_path: Path, now: datetime, chelsea: bytes) -> MakeFilter:
    """Filters by a feed of one photo (entry 0), one code (1) and the host example.org (2)."""
    with opened(tmp_path / "data", now) as opt_outs:
        picture = fingerprint_bytes(chelsea, Settings())
        assert not isinstance(picture, Unreadable)
        for codes in (picture.fingerprints[:1], [code(1)]):
            opt_outs.record([codes], uses=ALL, evidence=Evidence.PICTURE, now=now)
        with opt_outs.registry.writing() as writer:
            entry = OptOut("4F7K-20M9", Evidence.HOST_FILE, (), USES, ("example.org/",))
            opt_outs.log.append(writer, entry)
        opt_outs.log.sign(now)
    follow(tmp_path / "data", tmp_path / "feed", now)

    def made(moment: datetime = now, **options: Any) -> OptOutFilter:
        return OptOutFilter(tmp_path / "feed", clock=functools.partial(same_moment, moment), **options)

    return made


def told(batch: pa.RecordBatch) -> list[tuple[str, str, int | None]]:
    """Decision, reason and entry of each row."""
    columns = (batch.column(f"hibs_{name}").to_pylist() for name in ("decision", "reason", "entry"))
    return list(zip(*columns, strict=True))


def test_the_address_of_one_picture_is_asked_before_its_bytes(make: MakeFilter, chelsea: bytes, coffee: bytes) -> None:
    decide = make().decide
    assert decide(url="https://example.org/a.jpg").to_dict()["hibs_reason"] == "address-entry"
    assert decide(url="https://example.org/a.jpg", data=coffee).entry == 2
    assert decide(url="https://example.net/a.jpg", data=chelsea).entry == 0
    assert decide(url="https://example.net/a.jpg", data=coffee).action == "keep"
    assert decide(url="https://example.net/a.jpg").to_dict()["hibs_reason"] == "no-picture"
    assert decide(url="https://example.net/a.jpg", codes=[code(1)]).entry == 1


def test_a_batch_of_hugging_face_gets_six_columns(make: MakeFilter, chelsea: bytes, coffee: bytes) -> None:
    images = [{"bytes": body, "path": "a.jpg"} for body in (chelsea, coffee, b"GIF89a", coffee)]
    images += [{"bytes": None, "path": "/etc/hostname"}, None]  # type: ignore[list-item]
    urls = [None] * 3 + ["HTTP://example.org/x"] + [None] * 2
    batch = pa.RecordBatch.from_pylist(
        [{"image": image, "label": n, "URL": url} for n, (image, url) in enumerate(zip(images, urls, strict=True))]
    )
    answer = make().decide_batch(batch)
    assert told(answer) == [
        ("drop", "near-entry", 0),
        ("keep", "none", None),
        ("not-checked", "unreadable", None),
        ("drop", "address-entry", 2),
        ("not-checked", "no-picture", None),
        ("not-checked", "no-picture", None),
    ]
    assert answer.schema.names[:3] == ["image", "label", "URL"]
    assert answer.select([0, 1, 2]).equals(batch)
    assert answer.schema.field("hibs_entry").type == pa.int64()
    assert answer.column("hibs_feed_size").to_pylist() == [3] * 6


def test_decisions_of_an_earlier_run_are_replaced(make: MakeFilter) -> None:
    batch = pa.RecordBatch.from_pydict({"phash256": [code(1).hex], "hibs_decision": ["keep"]})
    answer = make().decide_batch(make().decide_batch(batch))
    assert told(answer) == [("drop", "near-entry", 1)]
    assert len(answer.schema.names) == 7


def test_codes_come_as_bytes_or_hex_and_what_no_picture_has_is_not_checked(make: MakeFilter) -> None:
    as_bytes = pa.RecordBatch.from_pydict({"phash256": [code(1).bits, code(5).bits, bytes(32), None, b"abc"]})
    expected = ["drop", "keep", "not-checked", "not-checked", "not-checked"]
    assert [action for action, _, _ in told(make().decide_batch(as_bytes))] == expected
    as_text = pa.table({"PHASH256": [code(1).hex.upper(), code(5).hex], "phash256_version": ["1", "2"]})
    assert [action for action, _, _ in told(make().decide_batch(as_text))] == ["drop", "not-checked"]


def test_img2datasets_table_is_decided_by_its_addresses(make: MakeFilter) -> None:
    table = pa.table(
        {
            "url": ["https://example.org/1.jpg", "https://example.net/2.jpg"],
            "key": ["000000000", "000000001"],
            "status": ["success", "success"],
            "sha256": ["0" * 64, "1" * 64],
        }
    )
    assert told(make().decide_batch(table)) == [("drop", "address-entry", 2), ("not-checked", "no-picture", None)]


def test_rows_and_batches_of_datasets_keep_what_may_be_kept_alone(
    make: MakeFilter, chelsea: bytes, coffee: bytes
) -> None:
    keeps = make()
    decoded = Image.open(BytesIO(chelsea)), Image.open(BytesIO(coffee))
    pictures = [{"bytes": chelsea, "path": None}, {"bytes": coffee, "path": None}, *decoded, None, b"no picture"]
    expected = [False, True, False, True, False, False]
    assert [keeps({"image": picture, "label": 1}) for picture in pictures] == expected
    assert keeps({"image": pictures, "label": [1] * 6}) == expected
    assert keeps({"image": [], "label": []}) == []
    assert keeps(pa.table({"image": [chelsea, coffee]})) == [False, True]
    assert keeps({"image": np.asarray(decoded[1])}) is True


def test_every_picture_of_a_row_counts(make: MakeFilter, chelsea: bytes, coffee: bytes) -> None:
    keeps = make()
    assert keeps({"image": coffee, "edited_image": chelsea}) is False
    assert keeps({"image": coffee, "edited_image": coffee}) is True
    assert keeps({"before_image": coffee, "after_image": {"bytes": chelsea, "path": None}}) is False
    assert keeps({"image": [coffee, coffee], "image2": [coffee, chelsea]}) == [True, False]
    assert keeps({"image": coffee, "edited_image": {"bytes": None, "path": "elsewhere.jpg"}}) is False
    assert keeps({"image": coffee, "source_image": "https://example.net/", "n_image": 3, "last_image": None}) is True
    assert make(picture_column="image")({"image": coffee, "edited_image": chelsea}) is True
    assert keeps(pa.table({"image": [coffee], "edited_image": [chelsea]})) == [False]


def test_lists_of_pictures_are_decided_in_batches_and_never_pass_as_one_row(
    make: MakeFilter, chelsea: bytes, coffee: bytes
) -> None:
    keeps = make()
    assert keeps({"images": [coffee, chelsea], "label": 1}) is False
    assert keeps({"images": [coffee, coffee], "label": 1}) is True
    assert keeps({"images": [[coffee], [coffee, chelsea], []], "label": [1, 2, 3]}) == [True, False, False]
    with pytest.raises(InputError, match=r"its list of answers was taken for one answer.*batched=True"):
        bool(keeps({"images": [coffee, chelsea]}))


def test_samples_of_webdataset_are_kept_when_every_picture_may_be(
    make: MakeFilter, chelsea: bytes, coffee: bytes
) -> None:
    about = json.dumps({"url": "https://example.org/x.jpg"}).encode()
    samples: list[dict[str, Any]] = [
        {"__key__": "0", "__url__": "https://example.org/shard.tar", "jpg": coffee},
        {"__key__": "1", "jpg": chelsea, "txt": b"a cat"},
        {"__key__": "2", "jpg": coffee, "left.png": chelsea},
        {"__key__": "3", "jpg": coffee, "json": about},
        {"__key__": "4", "jpg": coffee, "json": json.loads(about)},
        {"__key__": "5", "jpg": coffee, "json": b"[" * 100_000},
        {"__key__": "6", "txt": b"a cat"},
        {"__key__": "7", "PNG": Image.open(BytesIO(coffee))},
    ]
    assert [make()(sample) for sample in samples] == [True, False, False, False, False, True, False, True]


def test_a_table_that_says_nothing_is_refused_with_a_way_out(make: MakeFilter) -> None:
    table = pa.table({"picture of it": [b""], "label": [1]})
    with pytest.raises(InputError, match=r"'picture of it', 'label' holds pictures.*picture_column="):
        make()(table)
    assert make(picture_column="picture of it")(table) == [False]
    with pytest.raises(InputError, match="no column 'href' among"):
        make(url_column="href").decide_batch(table)
    with pytest.raises(InputError, match="a row is a mapping or an Arrow batch, not bytes"):
        make()(b"")
    with pytest.raises(InputError, match="not object"):
        make()({"image": object()})


def test_a_stale_filter_keeps_nothing(make: MakeFilter, now: datetime, coffee: bytes) -> None:
    stale = make(now + timedelta(days=8))
    batch = pa.RecordBatch.from_pydict({"image": [coffee, coffee]})
    assert told(stale.decide_batch(batch)) == [("review", "feed-stale", None)] * 2
    assert stale({"image": [coffee]}) == [False]
    assert stale({"image": coffee}) is False
    assert stale({"__key__": "0", "jpg": coffee}) is False
    assert stale.decide(url="https://example.org/").reason == "feed-stale"


def test_it_decides_the_same_when_it_was_pickled_in_use(make: MakeFilter, chelsea: bytes, coffee: bytes) -> None:
    keeps = make()
    before = pickle.dumps(keeps)
    assert keeps({"image": [chelsea, coffee]}) == [False, True]
    assert pickle.dumps(keeps) == before
    assert pickle.loads(before)({"image": [chelsea, coffee]}) == [False, True]


CELLS = st.one_of(st.none(), st.binary(max_size=80), st.text(max_size=80), st.integers(), st.floats(), st.booleans())


@given(st.dictionaries(st.sampled_from(["url", "phash256", "phash256_version", "caption"]), CELLS, min_size=1))
def test_no_cell_of_a_row_is_more_than_a_reason(row: dict[str, Any]) -> None:
    if row.keys() & {"url", "phash256"}:
        found = GivenColumns.of(list(row), NOTHING_NAMED).row(row)
        assert found.code is None or found.code.kind == PHASH256
    assert read_sample({"__key__": "0", "json": row}).pictures == ()
    assert read_sample({"__key__": "0", **row}).pictures == ()
