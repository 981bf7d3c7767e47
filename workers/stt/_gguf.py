"""A language model's file as llama.cpp keeps it (GGUF, version 2 and 3): what it says of itself, and its tensors as stored."""

import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCK", "Gguf", "Tensor", "read"]

BLOCK = 32
"""Weights that share a scale."""

_TEXT, _LIST = 8, 9
_LETTERS = dict(zip((*range(8), 10, 11, 12), "BbHhIifBQqd", strict=True))
"""struct's letters for the other kinds of values, by number."""
_FORMS = {kind: struct.Struct(f"<{letter}") for kind, letter in _LETTERS.items()}
_STORED = {0: ("f32", 1, 4), 3: ("q4_1", BLOCK, 20), 8: ("q8_0", BLOCK, 34)}
"""How tensors are stored, by number: name, weights and bytes of a block. Those that our model has."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """`kind`: f32, q4_1 or q8_0; `rows`, `columns`: a vector has one row; `raw`: bytes of the blocks, shape (rows, blocks,
    size)."""

    kind: str
    rows: int
    columns: int
    raw: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Gguf:
    fields: dict[str, Any]
    tensors: dict[str, Tensor]


def read(path: Path) -> Gguf:
    """Tensors lie in the file, mapped. ValueError: it is no such file, or has tensors of other kinds."""
    data = np.memmap(path, np.uint8, "r")
    return _Reader(data).whole()


class _Reader:
    def __init__(self, data: NDArray[np.uint8]) -> None:
        self._data, self._bytes, self._at = data, data.data, 0

    def whole(self) -> Gguf:
        try:
            magic, version, tensors, values = struct.unpack_from("<4sIQQ", self._bytes)
            if magic != b"GGUF" or version not in (2, 3):
                raise ValueError(f"no GGUF of version 2 or 3 (it begins {magic!r}, {version})")
            self._at = 24
            fields = {self._text(): self._value(self._number(4)) for _ in range(values)}
            places = [self._place() for _ in range(tensors)]
        except struct.error as error:
            raise ValueError(f"a GGUF that ends too soon ({error})") from None
        edge = int(fields.get("general.alignment", 32))
        start = -(-self._at // edge) * edge
        return Gguf(fields, {name: self._tensor(start + at, kind, shape) for name, kind, shape, at in places})

    def _number(self, kind: int) -> Any:
        form = _FORMS[kind]
        (value,) = form.unpack_from(self._bytes, self._at)
        self._at += form.size
        return value

    def _numbers(self, kind: int, count: int) -> list[Any]:
        listed = struct.Struct(f"<{count}{_LETTERS[kind]}")
        self._at += listed.size
        return list(listed.unpack_from(self._bytes, self._at - listed.size))

    def _text(self) -> str:
        length = self._number(10)
        self._at += length
        return str(self._bytes[self._at - length : self._at], "utf-8")

    def _value(self, kind: int) -> Any:
        if kind == _TEXT:
            return self._text()
        if kind == _LIST:
            inner, count = self._number(4), self._number(10)
            if inner in _FORMS:
                return self._numbers(inner, count)
            return [self._value(inner) for _ in range(count)]
        if kind not in _FORMS:
            raise ValueError(f"a value of kind {kind}, which no GGUF of version 3 has")
        return self._number(kind)

    def _place(self) -> tuple[str, int, list[int], int]:
        name, dimensions = self._text(), self._number(4)
        shape = [self._number(10) for _ in range(dimensions)]
        return name, self._number(4), shape, self._number(10)

    def _tensor(self, at: int, number: int, shape: list[int]) -> Tensor:
        if number not in _STORED:
            raise ValueError(
                f"tensors of kind {number}; known are {', '.join(name for name, _, _ in _STORED.values())}"
            )
        kind, weights, size = _STORED[number]
        columns, rows = shape[0], prod(shape[1:])
        blocks = columns // weights
        end = at + rows * blocks * size
        if end > len(self._data) or columns % weights:
            raise ValueError("a GGUF that ends too soon")
        return Tensor(kind, rows, columns, self._data[at:end].reshape(rows, blocks, size))
