"""ONNX files written byte by byte, so that tests can write what no exporter would (onnx.proto3, protobuf encoding)."""

from __future__ import annotations

import struct

FLOAT, UINT8, INT64 = 1, 2, 7
Shape = tuple[int | str, ...]


def varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low]) if not rest else bytes([low | 0x80]) + varint(rest)


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def message(field: int, *parts: bytes | str) -> bytes:
    """A message, a string or bytes as one field."""
    body = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
    return varint(field << 3 | 2) + varint(len(body)) + body


def model(*graph: bytes) -> bytes:
    """ModelProto: IR version 8, operators of version 17, one graph."""
    return number(1, 8) + message(8, number(2, 17)) + message(7, message(2, "g"), *graph)


def takes(element: int, shape: Shape, name: str = "image") -> bytes:
    return _value(11, name, element, shape)


def gives(element: int, shape: Shape, name: str = "codes") -> bytes:
    return _value(12, name, element, shape)


def node(kind: str, inputs: list[str], output: str, *attributes: bytes, field: int = 1) -> bytes:
    """NodeProto; field 1 of a graph, 7 of a function."""
    names = [*(message(1, name) for name in inputs), message(2, output), message(4, kind)]
    return message(field, *names, *(message(5, attribute) for attribute in attributes))


def integer(name: str, value: int) -> bytes:
    """AttributeProto of type INT."""
    return message(1, name) + number(3, value) + number(20, 2)


def floats(name: str, values: list[float]) -> bytes:
    """An initializer."""
    raw = struct.pack(f"<{len(values)}f", *values)
    return message(5, number(1, len(values)), number(2, FLOAT), message(8, name), message(9, raw))


def integers(name: str, values: list[int]) -> bytes:
    """An initializer."""
    raw = struct.pack(f"<{len(values)}q", *values)
    return message(5, number(1, len(values)), number(2, INT64), message(8, name), message(9, raw))


def counting_model(taken: Shape = ("batch", "height", "width", 3)) -> bytes:
    """A model of our interface whose codes have as many bits set as it was given pictures at once."""
    return model(
        node("Shape", ["image"], "size", integer("start", 0), integer("end", 1)),
        node("Cast", ["size"], "count", integer("to", FLOAT)),
        node("Sub", ["count", "steps"], "row"),
        node("Concat", ["size", "bits"], "shape", integer("axis", 0)),
        node("Expand", ["row", "shape"], "codes"),
        floats("steps", [step + 0.5 for step in range(512)]),
        integers("bits", [512]),
        takes(UINT8, taken),
        gives(FLOAT, ("batch", 512)),
    )


def _value(field: int, name: str, element: int, shape: Shape) -> bytes:
    sides = (number(1, side) if isinstance(side, int) else message(2, side) for side in shape)
    tensor = message(1, number(1, element), message(2, *(message(1, side) for side in sides)))
    return message(field, message(1, name), message(2, tensor))
