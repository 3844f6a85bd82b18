"""Arrays of numbers in ``.npy`` files, memory-mapped, after every word of the header was checked.

numpy's own reader trusts the header's length and hands pickles and archives to other readers.
"""

import ast
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workloads.support.errors import InputError, shown
from workloads.support.reading import check_regular

_MAGIC, _ZIP = b"\x93NUMPY", b"PK"
_LENGTH_BYTES = {1: 2, 2: 4, 3: 4}
_LONGEST_HEADER = 10_000
_KEYS = {"descr", "fortran_order", "shape"}
_DTYPE = re.compile(r"[<>|=]?[biuf]\d{1,2}")


def read_array(path: Path) -> NDArray[Any]:
    """The numbers of a ``.npy`` file, memory-mapped; pickled objects are never loaded.

    Raises:
        InputError: The file is missing, or not one array of numbers.

    Source: the format's description in ``numpy.lib.format``.
    """
    check_regular(path)
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(8)
        if start.startswith(_ZIP):
            raise InputError(f"{path}: holds several arrays (.npz); save one with numpy.save")
        if not start.startswith(_MAGIC) or len(start) < 8 or start[6] not in _LENGTH_BYTES:
            raise InputError(f"{path}: not a whole .npy file of numbers (no header of numpy's)")
        length = int.from_bytes(stream.read(_LENGTH_BYTES[start[6]]), "little")
        if length > min(_LONGEST_HEADER, size):
            raise InputError(f"{path}: not a whole .npy file (a header of {length:,} bytes)")
        header, offset = stream.read(length), stream.tell()
    dtype, shape, order = _parse(header, path)
    count = math.prod(shape)
    if offset + count * dtype.itemsize > size:
        raise InputError(
            f"{path}: not a whole .npy file ({'x'.join(map(str, shape))} {dtype} need "
            f"{count * dtype.itemsize:,} bytes, {size - offset:,} are there)"
        )
    if not count:
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype, "r", offset, shape, order)


def _parse(header: bytes, path: Path) -> tuple[np.dtype[Any], tuple[int, ...], Any]:
    """Dtype, shape and order of a header."""
    try:
        text = re.sub(r"(?<=\d)L\b", "", header.decode("utf-8"))  # as Python 2 wrote whole numbers
        fields = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise InputError(f"{path}: not a whole .npy file (its header cannot be read)") from error
    if not isinstance(fields, dict) or fields.keys() != _KEYS:
        raise InputError(f"{path}: not a whole .npy file (its header has other fields)")
    descr, shape, fortran = fields["descr"], fields["shape"], fields["fortran_order"]
    try:
        dtype = np.dtype(descr) if isinstance(descr, str) and _DTYPE.fullmatch(descr) else None
    except TypeError:
        dtype = None
    if dtype is None:
        raise InputError(f"{path}: a mask is bool, or numbers 0 and 1, got dtype {shown(descr)}")
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise InputError(f"{path}: not a whole .npy file (a shape of {shown(shape)})")
    if len(shape) > 4 or not isinstance(fortran, bool):
        raise InputError(f"{path}: masks have 2 to 4 dimensions, got a shape of {shown(shape)}")
    return dtype, shape, "F" if fortran else "C"
