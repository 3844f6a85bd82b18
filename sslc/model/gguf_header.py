"""The header of a GGUF file, checked against the file's size before any library reads it.

Source: the GGUF specification (ggml-org/ggml, docs/gguf.md), versions 2 and 3, little-endian.
"""

import math
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workloads.support.errors import InputError, shown
from workloads.support.reading import check_regular

_SCALARS = "BbHhIif?SAQqd"  # by number of their type; S a string, A an array
_STRING, _ARRAY = _SCALARS.index("S"), _SCALARS.index("A")
_MOST_DIMENSIONS = 4
_ALIGNMENT = "general.alignment"
_DEFAULT_ALIGNMENT = 32

Value = int | float | bool | str | None


@dataclass(frozen=True)
class GgufHeader:
    """What a GGUF file says of itself.

    Attributes:
        values: Numbers and texts by key; None for arrays.
        shapes: Of every tensor by its name in the file, rows first as in torch.
    """

    values: Mapping[str, Value]
    shapes: Mapping[str, tuple[int, ...]]


def read_header(path: Path) -> GgufHeader:
    """Read and check a GGUF file's header.

    Raises:
        InputError: It is not GGUF, damaged, or cut: a length or tensor goes beyond the file's end.
    """
    check_regular(path)
    if path.stat().st_size < 24:
        raise InputError(f"{path}: not a GGUF file")
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] != b"GGUF":
            raise InputError(f"{path}: not a GGUF file")
        try:
            return _read(_Cursor(data))
        except (ValueError, struct.error, UnicodeDecodeError) as error:
            raise InputError(f"{path}: a damaged GGUF header ({error})") from error


class _Cursor:
    """Where in the file the next field begins; every step is checked against the file's size."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data, self.at = data, 4

    def skip(self, count: int) -> int:
        """Pass over some bytes and return where they begin."""
        start = self.at
        if count > len(self.data) - start:
            raise ValueError(f"{count} bytes are announced at {start}, beyond the file's end")
        self.at += count
        return start

    def number(self, kind: str) -> int | float:
        """One number of a kind of ``struct``."""
        value: int | float
        start = self.skip(struct.calcsize(f"<{kind}"))
        (value,) = struct.unpack_from(f"<{kind}", self.data, start)
        return value

    def count(self, kind: str = "Q") -> int:
        """One unsigned whole number."""
        return int(self.number(kind))

    def text(self) -> str:
        """One string."""
        start = self.skip(self.count())
        return self.data[start : self.at].decode("utf-8")

    def value(self, kind: int) -> Value:
        """One value of a kind by its number; arrays are passed over."""
        if kind >= len(_SCALARS):
            raise ValueError(f"a value of the unknown type {kind}")
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY:
            return self.number(_SCALARS[kind])
        of, count = self.count("I"), self.count()
        if of == _STRING:
            for _ in range(count):
                self.skip(self.count())
        elif of >= len(_SCALARS) or of == _ARRAY:
            raise ValueError(f"an array of the unknown type {of}")
        else:
            self.skip(count * struct.calcsize(f"<{_SCALARS[of]}"))
        return None


def _read(cursor: _Cursor) -> GgufHeader:
    version = cursor.count("I")
    if version not in (2, 3):
        raise ValueError(f"version {version} is not read; versions 2 and 3 are, little-endian")
    tensors, entries = cursor.count(), cursor.count()
    values: dict[str, Value] = {}
    for _ in range(entries):
        key = cursor.text()
        if key in values:
            raise ValueError(f"key {shown(key)} stands twice")
        values[key] = cursor.value(cursor.count("I"))
    shapes: dict[str, tuple[int, ...]] = {}
    places = []
    for _ in range(tensors):
        name, shape, place = _tensor(cursor)
        if name in shapes:
            raise ValueError(f"tensor {shown(name)} stands twice")
        shapes[name] = shape
        places.append((place, name))
    _check_places(cursor, values.get(_ALIGNMENT, _DEFAULT_ALIGNMENT), places)
    return GgufHeader(values, shapes)


def _tensor(cursor: _Cursor) -> tuple[str, tuple[int, ...], tuple[int, int]]:
    """Name, shape, and begin and end in the data of the next tensor."""
    from gguf import GGML_QUANT_SIZES

    name, dimensions = cursor.text(), cursor.count("I")
    if not 1 <= dimensions <= _MOST_DIMENSIONS:
        raise ValueError(f"tensor {shown(name)} has {dimensions} dimensions")
    shape = tuple(cursor.count() for _ in range(dimensions))
    sizes = {int(kind): size for kind, size in GGML_QUANT_SIZES.items()}
    kind, start = cursor.count("I"), cursor.count()
    if kind not in sizes:
        raise ValueError(f"tensor {shown(name)} has the unknown type {kind}")
    entries, width = sizes[kind]
    if math.prod(shape) == 0 or shape[0] % entries:
        raise ValueError(f"tensor {shown(name)} of shape {list(shape)} is no whole number of rows")
    return name, shape[::-1], (start, start + math.prod(shape) // entries * width)


def _check_places(
    cursor: _Cursor, alignment: Value, places: list[tuple[tuple[int, int], str]]
) -> None:
    if not isinstance(alignment, int) or not 1 <= alignment <= 2**20:
        raise ValueError(f"{_ALIGNMENT} is {shown(alignment)}")
    size, last = len(cursor.data) - -(-cursor.at // alignment) * alignment, 0
    for (start, end), name in sorted(places):
        if start < last or start % alignment:
            raise ValueError(f"tensor {shown(name)} begins inside another, or is not aligned")
        if end > size:
            raise ValueError(f"tensor {shown(name)} goes beyond the file's end")
        last = end
