"""Does an ONNX file keep tensors in other files? Walks the protobuf messages that may hold a tensor, and no others.

A model is accepted by its SHA-256, which says nothing about files that it names; onnxruntime would open them. Field
numbers: onnx.proto3 of ONNX 1.x; wire format: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator

_MODEL = "model"
_CHILDREN: dict[str, dict[int, str]] = {
    _MODEL: {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
"""Fields of TensorProto: where else the data lies, and that it lies elsewhere."""
_DEPTH_MAX = 50
_KEY_MAX = 2**32 - 1
"""Protobuf's own reader drops what is above, so a larger key would be another field there than here."""


def has_external_data(body: bytes) -> bool:
    """True also where the bytes cannot be walked: such a file is no model that we load."""
    try:
        return _external(memoryview(body), _MODEL, 0)
    except (IndexError, ValueError):
        return True


def _external(message: memoryview, kind: str, depth: int) -> bool:
    if depth > _DEPTH_MAX:
        raise ValueError("messages are nested too deep")
    for field, value in _fields(message):
        if kind == "tensor":
            if field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value != 0):
                return True
        elif (
            (child := _CHILDREN[kind].get(field))
            and isinstance(value, memoryview)
            and _external(value, child, depth + 1)
        ):
            return True
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        if key > _KEY_MAX:
            raise ValueError("a field's number is too large")
        wire = key & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if wire == 2:
            size, at = _varint(message, at)
        else:
            size = {1: 8, 5: 4}.get(wire, -1)
        if size < 0 or at + size > len(message):
            raise ValueError("this is no protobuf message")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number has no end")
