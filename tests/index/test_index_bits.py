"""checker/index/bits.py: a fixed order of bits, the same on every machine and for ever."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from checker.index.bits import bit_order, permuted


def one_by_one(code: bytes) -> bytes:
    """What the module's text says, bit by bit."""
    bits = 8 * len(code)
    order = sorted(
        range(bits), key=lambda bit: hashlib.sha256(f"haveibeenscraped index bits 1: {bits} {bit}".encode()).digest()
    )
    value = 0
    for position, bit in enumerate(order):
        value |= (code[bit // 8] >> (bit % 8) & 1) << position
    return value.to_bytes(len(code), "little")


def random_codes(count: int, bits: int) -> bytes:
    return np.random.default_rng(7).bytes(count * bits // 8)


@pytest.mark.parametrize("bits", [64, 128, 256, 512])
def test_the_order_is_what_the_text_says(bits: int) -> None:
    codes = random_codes(20, bits)
    expected = b"".join(one_by_one(codes[at : at + bits // 8]) for at in range(0, len(codes), bits // 8))
    assert permuted(codes, bits=bits).astype("<u8").tobytes() == expected


@pytest.mark.parametrize(
    ("bits", "first", "digest"),
    [
        (256, (54, 245, 48, 88), "8eb8ca0adf56a61cbc59a18cd18c9332e51feea3dc46b8b1ce27db2105306d6f"),
        (512, (16, 494, 249, 33), "b83d32be8dd14ee9b13a0a6106e8bf7f040b56652e4dc2aa0deda60ada517ba6"),
    ],
)
def test_the_order_is_frozen_because_it_is_in_files(bits: int, first: tuple[int, ...], digest: str) -> None:
    order = bit_order(bits)
    assert order[:4] == first
    assert hashlib.sha256(repr(order).encode()).hexdigest() == digest


@pytest.mark.parametrize("count", [0, 1, 1023, 1024, 1025, 4095, 4096, 4097, 9000])
def test_many_codes_are_moved_as_one_is(count: int) -> None:
    codes = random_codes(count, 256)
    words = permuted(codes, bits=256)
    assert words.shape == (count, 4)
    assert words.dtype == np.uint64
    assert words.flags.c_contiguous
    one_at_a_time = [permuted(codes[at : at + 32], bits=256)[0] for at in range(0, len(codes), 32)]
    assert words.tolist() == [row.tolist() for row in one_at_a_time]


def test_distances_stay_as_they_are() -> None:
    codes = random_codes(2, 512)
    before = (int.from_bytes(codes[:64]) ^ int.from_bytes(codes[64:])).bit_count()
    one, other = permuted(codes, bits=512)
    assert int(np.bitwise_count(one ^ other).sum()) == before


@pytest.mark.parametrize("bits", [0, 32, 100])
def test_only_whole_words_can_be_laid_out(bits: int) -> None:
    with pytest.raises(ValueError, match=f"{bits} bits"):
        permuted(b"", bits=bits)


def test_bytes_that_are_not_whole_codes_are_refused() -> None:
    with pytest.raises(ValueError, match="33 bytes"):
        permuted(bytes(33), bits=256)
