"""Files written whole or not at all, their hashes, and memory-mapped safetensors.

Everything that the project leaves on disk goes through here, so a kill at any moment leaves
either the old file or the new one.
"""

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import ml_dtypes
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from workloads.support.errors import InputError, shown
from workloads.support.reading import LARGEST_TEXT_BYTES, check_regular, is_deep, read_text

DTYPES: dict[str, np.dtype[Any]] = {
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "F16": np.dtype(np.float16),
    "F32": np.dtype(np.float32),
    "F64": np.dtype(np.float64),
    "I64": np.dtype(np.int64),
    "I32": np.dtype(np.int32),
    "F8_E4M3": np.dtype(ml_dtypes.float8_e4m3fn),
    "I8": np.dtype(np.int8),
    "U8": np.dtype(np.uint8),
    "BOOL": np.dtype(np.bool_),
}
_FILE_ORDER = ("BOOL", "U8", "I8", "F8_E4M3", "F16", "BF16", "I32", "F32", "F64", "I64")
"""How safetensors orders tensors in a file: the last of these first, then by name."""
_LONGEST_NUMBER = 300  # digits: what a double can hold


def sync_directory(path: Path) -> None:
    """Make the renames inside a directory durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file under a temporary name, flush it to the disk, then rename it into place."""
    with _atomic(path) as stream:
        stream.write(data)


@contextlib.contextmanager
def _atomic(path: Path) -> Iterator[BinaryIO]:
    """A stream into a temporary file that takes the path's place when all is written."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:  # such as a full disk
        temporary.unlink(missing_ok=True)
        raise
    temporary.replace(path)
    sync_directory(path.parent)


def write_json(path: Path, value: object) -> None:
    """Write JSON with sorted keys, indented, atomically; non-finite numbers are refused."""
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False)
    write_atomic(path, (text + "\n").encode())


def read_json(path: Path) -> Any:
    """Parsed JSON.

    Raises:
        InputError: The file is missing, not UTF-8, or not JSON: NaN and Infinity are not, and
            numbers beyond a double are not accepted.
    """

    text = read_text(path, LARGEST_TEXT_BYTES)
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite, parse_int=_short)
        if is_deep(value):
            raise RecursionError
    except RecursionError as error:
        raise InputError(f"{path}: values are nested too deep") from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error})") from error
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{shown(digits)} is beyond a double")
    return number


def _short(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER:
        raise ValueError(f"a whole number of {len(digits)} digits")
    return int(digits)


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class Hashes(NamedTuple):
    """Hex SHA-256 of a safetensors file, and of each tensor's bytes by name."""

    file: str
    tensors: dict[str, str]


def write_tensors(path: Path, tensors: Mapping[str, NDArray[Any]]) -> Hashes:
    """Write a safetensors file atomically, one tensor after the other.

    Args:
        path: Where to.
        tensors: Name to array; the order does not matter, the bytes are the same. Each is asked
            for twice and let go, so that ``LazyTensors`` are never in memory together.

    Returns:
        Hashes of what was written.

    Source: the safetensors format; order and header are those of its own writer.
    """
    infos = {
        name: (_dtype_name(array), array.shape, array.nbytes) for name, array in tensors.items()
    }
    order = sorted(infos, key=lambda name: (-_FILE_ORDER.index(infos[name][0]), name))
    header = _header(infos, order)
    digest, hashes = hashlib.sha256(header), {}
    with _atomic(path) as stream:
        stream.write(header)
        for name in order:
            data = _bytes_of(tensors[name])
            stream.write(data)
            digest.update(data)
            hashes[name] = hashlib.sha256(data).hexdigest()
    return Hashes(digest.hexdigest(), hashes)


def _header(infos: Mapping[str, tuple[str, tuple[int, ...], int]], order: list[str]) -> memoryview:
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    start = 0
    for name in order:
        dtype, shape, size = infos[name]
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, start + size]}
        start += size
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return memoryview(len(text).to_bytes(8, "little") + text)


def _dtype_name(array: NDArray[Any]) -> str:
    return next(name for name, dtype in DTYPES.items() if dtype == array.dtype)


def _bytes_of(array: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


@dataclass(frozen=True)
class TensorInfo:
    """Where one tensor lies inside a safetensors file."""

    dtype: str
    shape: tuple[int, ...]
    start: int


@dataclass(frozen=True)
class TensorFile:
    """An opened safetensors file: its header was validated, its data is memory-mapped on demand.

    Attributes:
        path: The file.
        tensors: Where each tensor lies.
        sha256: Hex SHA-256 of tensors' bytes by name, compared when one is first read.
    """

    path: Path
    tensors: Mapping[str, TensorInfo]
    sha256: Mapping[str, str] = field(default_factory=dict)
    _compared: set[str] = field(default_factory=set, repr=False, compare=False)

    def read(self, name: str) -> NDArray[Any]:
        """One tensor as a read-only memory-mapped array.

        Raises:
            InputError: Its dtype is not one of ``DTYPES``, or its bytes are not what was written.
        """
        array = self._map(name)
        expected = self.sha256.get(name)
        if expected is not None and name not in self._compared:
            if hashlib.sha256(_bytes_of(array)).hexdigest() != expected:
                raise InputError(
                    f"{self.path}: tensor {name!r} is damaged (its SHA-256 is not the recorded one)"
                )
            self._compared.add(name)
        return array

    def _map(self, name: str) -> NDArray[Any]:
        info = self.tensors[name]
        if info.dtype not in DTYPES:
            raise InputError(f"{self.path}: tensor {name!r} has unsupported dtype {info.dtype}")
        dtype = DTYPES[info.dtype]
        if math.prod(info.shape) == 0:
            return np.zeros(info.shape, dtype)
        raw = np.memmap(
            self.path, np.uint8, "r", info.start, (math.prod(info.shape) * dtype.itemsize,)
        )
        return raw.view(dtype).reshape(info.shape)


@dataclass(frozen=True)
class LazyTensors(Mapping[str, NDArray[Any]]):
    """Tensors of several files by name, each memory-mapped when it is asked for."""

    files: Mapping[str, TensorFile]

    def __getitem__(self, name: str) -> NDArray[Any]:
        """The tensor, mapped anew."""
        return self.files[name].read(name)

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self.files)

    def __len__(self) -> int:
        """How many."""
        return len(self.files)


def open_tensors(path: Path, sha256: Mapping[str, str] | None = None) -> TensorFile:
    """Open and validate a safetensors file without reading its data.

    Args:
        path: The file.
        sha256: Hashes to compare when tensors are read.

    Raises:
        InputError: The file is missing, truncated, or its header does not match its size.
    """
    check_regular(path)
    try:
        with safe_open(path, framework="np"):
            pass
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header: dict[str, Any] = json.loads(stream.read(length))
    except (OSError, SafetensorError, ValueError) as error:
        raise InputError(f"{path}: not a whole safetensors file ({error})") from error
    header.pop("__metadata__", None)
    base = 8 + length
    infos = {
        name: TensorInfo(
            entry["dtype"], tuple(entry["shape"]), base + int(entry["data_offsets"][0])
        )
        for name, entry in header.items()
    }
    return TensorFile(path, infos, sha256 or {})
