"""Masks that others made: a pruned checkpoint's zeros, or one array in a ``.npy`` file.

Weights are read tensor by tensor from safetensors, so no model is ever whole in memory.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workloads.masks.npy import read_array
from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.shapes.gemm import MODULES, Gemm
from workloads.shapes.transformer import FUSED, PROJECTION_MODULES, SEPARATE
from workloads.support.errors import InputError, printable, shown, unknown_name
from workloads.support.files import TensorFile
from workloads.support.weight_files import open_weights

_NAME = re.compile(rf"(?:.*\.)?(\d{{1,6}})\.(?:\D+\.)?({'|'.join(PROJECTION_MODULES)})\.weight")
_ROWS_AT_ONCE = 512

# For each dtype: its bits as integers, those of the magnitude, and those of the exponent.
_BITS: dict[str, tuple[type[Any], int, int]] = {
    "BF16": (np.uint16, 0x7FFF, 0x7F80),
    "F16": (np.uint16, 0x7FFF, 0x7C00),
    "F32": (np.uint32, 0x7FFFFFFF, 0x7F800000),
}


@dataclass(frozen=True)
class PrunedCheckpoint:
    """A checkpoint whose zeros are its masks, opened: names, shapes and dtypes are checked.

    Attributes:
        path: Its directory.
        blocks: For each block, the projections by name and where each one's weight lies.
    """

    path: Path
    blocks: tuple[Mapping[str, tuple[TensorFile, str]], ...]

    @property
    def name(self) -> str:
        """The directory's own name."""
        return self.path.resolve().name

    def projections(self, tokens: int = 1) -> Iterator[tuple[int, SparseLowRankGemm]]:
        """Every projection with rank 0, block by block, one weight in memory at a time.

        Args:
            tokens: Tokens per product.

        Yields:
            Block index and the projection.

        Raises:
            InputError: A weight is not finite.
        """
        for index, block in enumerate(self.blocks):
            for name, (stored, tensor) in block.items():
                m, n = stored.tensors[tensor].shape
                gemm = Gemm(name, PROJECTION_MODULES[name], m, n, tokens)
                yield index, SparseLowRankGemm(gemm, nonzero_mask(stored, tensor), 0)


def open_pruned(directory: Path) -> PrunedCheckpoint:
    """Open a checkpoint for its zeros, reading headers only.

    Args:
        directory: Of a Llama- or Qwen-type model's ``*.safetensors``.

    Raises:
        InputError: There are none, one is broken, a block lacks a projection, or a weight has
            another dtype or other dimensions than a matrix.
    """
    weights = open_weights(directory)
    if not weights:
        raise InputError(f"{directory}: not an artifact (no manifest.json), and no *.safetensors")
    found: dict[int, dict[str, tuple[TensorFile, str]]] = {}
    for tensor, stored in weights.items():
        match = _NAME.fullmatch(tensor)
        if match is None:
            continue
        _check_weight(stored, tensor)
        block = found.setdefault(int(match[1]), {})
        if match[2] in block:
            raise InputError(
                f"{stored.path}: tensor {shown(tensor)} is the second {match[2]} of block "
                f"{match[1]}"
            )
        block[match[2]] = (stored, tensor)
    _check_blocks(directory, found)
    blocks = (found[index] for index in sorted(found))
    ordered = ({name: block[name] for name in _names_of(block)} for block in blocks)
    return PrunedCheckpoint(directory, tuple(ordered))


def _names_of(block: Collection[str]) -> tuple[str, ...]:
    """The projections that a block with some of them should have."""
    return FUSED if "qkv_proj" in block else SEPARATE


def nonzero_mask(stored: TensorFile, tensor: str) -> PackedMask:
    """Where a stored matrix is not zero; −0 is zero.

    Raises:
        InputError: A value is NaN or infinite.
    """
    info = stored.tensors[tensor]
    integer, magnitude, exponent = _BITS[info.dtype]
    values = stored.read(tensor).view(integer)
    packed = np.empty((info.shape[0], -(-info.shape[1] // 8)), dtype=np.uint8)
    for start in range(0, info.shape[0], _ROWS_AT_ONCE):
        rows = values[start : start + _ROWS_AT_ONCE] & integer(magnitude)
        if (rows >= integer(exponent)).any():
            raise InputError(f"{stored.path}: tensor {tensor!r} holds values that are not finite")
        packed[start : start + _ROWS_AT_ONCE] = np.packbits(rows != 0, axis=1, bitorder="little")
    return PackedMask(packed, info.shape[1])


def single_projection(path: Path, rank: int, tokens: int, module: str) -> SparseLowRankGemm:
    """One projection from a mask in a ``.npy`` file, named after the file.

    Args:
        path: Of a two-dimensional array of booleans, or of numbers that are 0 or 1.
        rank: Columns of U and V beside it.
        tokens: Tokens per product.
        module: ``MHA`` or ``FFN``.

    Raises:
        InputError: The file is missing or holds anything else, or the rank or module cannot be.
    """
    if module not in MODULES:
        raise unknown_name("module", module, MODULES)
    mask = read_mask(path)
    largest = min(mask.rows, mask.columns)
    if not 0 <= rank <= largest:
        raise InputError(
            f"{path}: rank must be from 0 to {largest} for a mask of {mask.rows}x{mask.columns}, "
            f"got {rank}"
        )
    kind = MODULES[MODULES.index(module)]
    gemm = Gemm(printable(path.stem), kind, mask.rows, mask.columns, tokens)
    return SparseLowRankGemm(gemm, mask, rank)


def read_mask(path: Path) -> PackedMask:
    """A mask from a ``.npy`` file; pickled objects are never loaded.

    Raises:
        InputError: As for ``single_projection``.
    """
    array = read_array(path)
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(f"{path}: a mask has two dimensions, got shape {array.shape}")
    return pack_array(array, str(path))


def pack_array(array: NDArray[Any], where: str) -> PackedMask:
    """A two-dimensional array of booleans, or of numbers that are 0 or 1, as a mask.

    Args:
        array: m×n.
        where: For the error.

    Raises:
        InputError: A number is neither 0 nor 1.
    """
    packed = np.empty((array.shape[0], -(-array.shape[1] // 8)), dtype=np.uint8)
    for start in range(0, array.shape[0], _ROWS_AT_ONCE):
        rows = array[start : start + _ROWS_AT_ONCE]
        kept = rows == 1
        other = np.argwhere(~kept & (rows != 0))
        if len(other):
            row, column = other[0]
            raise InputError(
                f"{where}: a mask is bool, or numbers 0 and 1; row {start + row}, column {column} "
                f"is {rows[row, column]}"
            )
        packed[start : start + _ROWS_AT_ONCE] = np.packbits(kept, axis=1, bitorder="little")
    return PackedMask(packed, int(array.shape[1]))


def _check_weight(stored: TensorFile, tensor: str) -> None:
    info = stored.tensors[tensor]
    if info.dtype not in _BITS:
        raise InputError(
            f"{stored.path}: tensor {tensor!r} has dtype {info.dtype}; "
            f"weights must be {', '.join(_BITS)}"
        )
    if len(info.shape) != 2 or 0 in info.shape:
        raise InputError(
            f"{stored.path}: tensor {tensor!r} must be a matrix, got shape {list(info.shape)}"
        )


def _check_blocks(
    directory: Path, found: Mapping[int, Mapping[str, tuple[TensorFile, str]]]
) -> None:
    if not found:
        raise InputError(
            f"{directory}: no weights of blocks named as in Llama- and Qwen-type models "
            f"({', '.join(SEPARATE)})"
        )
    for index, block in sorted(found.items()):
        lacking = [name for name in _names_of(block) if name not in block]
        if lacking:
            raise InputError(f"{directory}: block {index} has no {', '.join(lacking)}")
    missing = sorted(set(range(max(found) + 1)) - set(found))
    if missing:
        raise InputError(f"{directory}: block {missing[0]} of 0 to {max(found)} is missing")
