"""What would hide suspiciously much is held: it hides here at once, and nobody else is told before a person looked."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from optout_collection import collect, page, phash, picture, second, visit, with_bits_changed

from checker.fingerprint.cosine import turned_bits
from checker.model import PHASH256, CodeKind, Fingerprint, Use
from checker.optout.entry import Evidence
from checker.optout.reach import Collection, Reach, hold_reason
from checker.optout.request import OptOuts, Recorded, State
from checker.records.folder import DataFolder
from checker.settings import Settings

LOGO = phash(1)


def opt_out(folder: Path, *codes: Fingerprint, now: datetime, several: bool = False) -> Recorded:
    pictures = [[one] for one in codes] if several else [codes]
    with OptOuts.open(folder, Settings(), now=now) as opt_outs:
        return opt_outs.record(pictures, uses=[Use.ALL], evidence=Evidence.PICTURE, now=now)


def on_hosts(folder: Path, count: int) -> None:
    """Copies of the logo, each another file on another host, 2 to 30 bits from it."""
    copies = (picture(n, with_bits_changed(LOGO, 2 + n % 15 * 2, n)) for n in range(count))
    collect(folder, [visit(f"https://shop{n}.example/logo.jpg", copy) for n, copy in enumerate(copies)])


@pytest.mark.parametrize(("hosts", "held"), [(20, False), (21, True)])
def test_a_picture_near_others_on_more_than_twenty_hosts_is_held(
    tmp_path: Path, now: datetime, hosts: int, held: bool
) -> None:
    on_hosts(tmp_path, hosts)
    recorded = opt_out(tmp_path, LOGO, now=now)
    assert recorded.held is held
    assert (recorded.receipt is None) is held
    assert recorded.withdraw_text.startswith(recorded.withdraw_code)
    with OptOuts.open(tmp_path, Settings(), now=now) as opt_outs:
        assert opt_outs.log.size == (0 if held else 1)
        assert opt_outs.registry.hidden_codes(PHASH256) == (LOGO.bits,), "it hides here all the same"
        status = opt_outs.status(None, recorded.withdraw_code, now=now)
        assert status.state is (State.HELD if held else State.RECORDED)
        assert (status.index, status.reason is not None) == ((None, True) if held else (0, False))
        if held:
            assert "near 21 pictures on 21 hosts of this collection" in status.reason
            assert opt_outs.status(recorded.number, None, now=now).reason is None, "the reason is for the holder"


@pytest.mark.parametrize(("images", "held"), [(200, False), (201, True)])
def test_a_picture_near_more_than_two_hundred_others_is_held(
    tmp_path: Path, now: datetime, images: int, held: bool
) -> None:
    copies = [picture(n, with_bits_changed(LOGO, 2 + n % 15 * 2, n)) for n in range(images)]
    collect(tmp_path, [visit(f"https://shop.example/{n}.jpg", copy) for n, copy in enumerate(copies)])
    assert opt_out(tmp_path, LOGO, now=now).held is held


def test_hosts_are_those_of_the_pages_and_a_port_is_one(tmp_path: Path) -> None:
    shown = [f"https://blog{n}.example/" for n in range(3)]
    image = "https://cdn.example/logo.jpg"
    collect(tmp_path, [*(page(url, image) for url in shown), visit(image, picture(1, LOGO))])
    collect(tmp_path, [visit(f"{scheme}://a.example/{scheme}.jpg", picture(2, LOGO)) for scheme in ("http", "https")])
    with closing(Collection(tmp_path, distance_bits_max=31)) as collection:
        assert collection.reach([LOGO]) == Reach(images=2, hosts=4)


def test_each_picture_of_a_folder_counts_by_itself(tmp_path: Path, now: datetime) -> None:
    mine = [phash(n) for n in range(30)]
    collect(tmp_path, [visit(f"https://site{n}.example/a.jpg", picture(n, one)) for n, one in enumerate(mine)])
    assert not opt_out(tmp_path, *mine, now=now, several=True).held


def test_turned_copies_count_and_those_beyond_the_radius_do_not(tmp_path: Path) -> None:
    turned = [Fingerprint(PHASH256, bits) for bits in turned_bits(LOGO.bits)]
    pictures = [*(picture(n, one) for n, one in enumerate(turned)), picture(98, with_bits_changed(LOGO, 32))]
    collect(tmp_path, [visit(f"https://shop.example/{n}.jpg", one) for n, one in enumerate(pictures)])
    with closing(Collection(tmp_path, distance_bits_max=31)) as collection:
        assert collection.reach([LOGO]).images == 8
        assert collection.near([[LOGO], [phash(99)]]) == list(range(1, 9))


def test_where_there_is_no_collection_nothing_is_held(tmp_path: Path, now: datetime) -> None:
    assert not opt_out(tmp_path, LOGO, now=now).held
    with closing(Collection(tmp_path, distance_bits_max=31)) as collection:
        assert collection.reach([LOGO]) == Reach()
        assert collection.folder() is None
        DataFolder.open(tmp_path, create=True).close()
        assert collection.folder() is not None, "one that is made later is found"


# --- both codes have to agree ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "held"),
    [
        ((LOGO, second(5)), True),
        ((LOGO, with_bits_changed(second(1), 40)), False),
        ((LOGO,), False),
        ((LOGO, Fingerprint(CodeKind("sscd512", "1-another", 512), second(5).bits)), False),
    ],
    ids=["the second is far", "the second is near", "there is no second", "of another model"],
)
def test_a_code_that_its_second_code_contradicts_is_held(
    tmp_path: Path, now: datetime, asked: tuple[Fingerprint, ...], held: bool
) -> None:
    near = [picture(n, with_bits_changed(LOGO, 10, n), with_bits_changed(second(1), 20, n)) for n in range(3)]
    collect(tmp_path, [visit(f"https://a.example/{n}.jpg", one) for n, one in enumerate(near)])
    recorded = opt_out(tmp_path, *asked, now=now)
    assert recorded.held is held
    if held:
        with OptOuts.open(tmp_path, Settings(), now=now) as opt_outs:
            reason = opt_outs.status(None, recorded.withdraw_code, now=now).reason
        assert "contradict each other about 3 of 3 pictures" in reason


def test_one_odd_copy_among_many_is_no_forgery(tmp_path: Path, now: datetime) -> None:
    copies = [picture(n, with_bits_changed(LOGO, 10, n), with_bits_changed(second(1), 20, n)) for n in range(3)]
    collect(tmp_path, [visit(f"https://a.example/{n}.jpg", one) for n, one in enumerate(copies)])
    collect(tmp_path, [visit("https://a.example/odd.jpg", picture(9, LOGO, second(9)))])
    assert not opt_out(tmp_path, LOGO, second(1), now=now).held


def test_the_limits_are_told_in_the_reason() -> None:
    assert hold_reason(Reach(images=5, hosts=3), hosts_max=3, images_max=5) is None
    assert "more than 5 pictures or 2 hosts" in str(hold_reason(Reach(images=5, hosts=3), hosts_max=2, images_max=5))
    limits = {"hosts_max": 20, "images_max": 200}
    assert "2 of 3 pictures" in str(hold_reason(Reach(images=3, hosts=1, compared=3, contradicted=2), **limits))
    assert hold_reason(Reach(images=3, hosts=1, compared=4, contradicted=2), **limits) is None
