"""Between torch and the artifact: rounding to the stored dtype, and dense weights back."""

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import torch
from numpy.typing import NDArray

from sslc.model.names import full_name
from sslc.model.shapes import Shapes
from workloads.artifact.read import Artifact
from workloads.artifact.record import CompressedTensors
from workloads.masks.packed import PackedMask
from workloads.support.errors import InputError
from workloads.support.files import TensorFile

CHUNK_ENTRIES = 2**22


def to_numpy(tensor: torch.Tensor) -> NDArray[Any]:
    """A CPU tensor as a numpy array of the same dtype, bfloat16 included."""
    tensor = tensor.detach().contiguous()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    array: NDArray[Any] = tensor.numpy()
    return array


def to_torch(array: NDArray[Any]) -> torch.Tensor:
    """A numpy array as a CPU tensor of the same dtype, bfloat16 included; copies."""
    if array.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(np.array(array.view(np.int16))).view(torch.bfloat16)
    return torch.from_numpy(np.array(array))


def row_chunks(m: int, n: int) -> Iterator[slice]:
    """Rows of an m×n matrix, so many at a time that temporaries of a chunk stay small."""
    step = max(1, CHUNK_ENTRIES // n)
    return (slice(start, min(start + step, m)) for start in range(0, m, step))


def sparse_part(stored: CompressedTensors, rows: slice = slice(None)) -> torch.Tensor:
    """S as a dense m×n float32 tensor, or some consecutive rows of it."""
    first, last, _ = rows.indices(stored.mask.rows)
    sparse = torch.zeros(last - first, stored.mask.columns)
    start = _nonzeros(stored, slice(0, first))
    for part in row_chunks(*sparse.shape):
        here = slice(first + part.start, first + part.stop)
        mask = PackedMask(stored.mask.bits[here], stored.mask.columns)
        values = to_torch(stored.values[start : start + mask.nnz]).float()
        sparse[part].masked_scatter_(torch.from_numpy(mask.unpack()), values)
        start += mask.nnz
    return sparse


def dense_weight(stored: CompressedTensors, rows: slice = slice(None)) -> torch.Tensor:
    """W' = S + U Vᵀ, m×n, float32, or some consecutive rows of it."""
    u, v = to_torch(stored.u[rows]).float(), to_torch(stored.v).float()
    return sparse_part(stored, rows).addmm_(u, v.T)


def _nonzeros(stored: CompressedTensors, rows: slice) -> int:
    return PackedMask(stored.mask.bits[rows], stored.mask.columns).nnz


@dataclasses.dataclass(frozen=True)
class ArtifactWeights:
    """An artifact seen as dense tensors by checkpoint name (a ``WeightSource``)."""

    artifact: Artifact

    @property
    def directory(self) -> Path:
        """Where the configuration and tokenizer files lie."""
        return self.artifact.path

    def names(self) -> frozenset[str]:
        """Every tensor's name."""
        return frozenset(self._rest.tensors) | frozenset(self._compressed)

    def shapes(self) -> Shapes:
        """Shape of every tensor by name."""
        projections = {
            f"{full_name(index, record.name)}.{part}": shape
            for index, block in enumerate(self.artifact.blocks)
            for record in block.projections
            for part, shape in (("weight", (record.m, record.n)), ("bias", (record.m,)))
            if part == "weight" or record.bias
        }
        return {name: info.shape for name, info in self._rest.tensors.items()} | projections

    def tensor(self, name: str) -> torch.Tensor:
        """One dense tensor on the CPU.

        Raises:
            InputError: There is no such tensor, or it is broken.
        """
        entry = self._compressed.get(name)
        if entry is None:
            rest = self._rest
            if name not in rest.tensors:
                raise InputError(f"{rest.path}: tensor {name!r} is missing")
            return to_torch(rest.read(name))
        stored = self.artifact.read(*entry)
        if name.endswith(".weight"):
            return dense_weight(stored)
        assert stored.bias is not None
        return to_torch(stored.bias)

    @functools.cached_property
    def _rest(self) -> TensorFile:
        return self.artifact.read_rest()

    @functools.cached_property
    def _compressed(self) -> dict[str, tuple[int, str]]:
        return {
            f"{full_name(index, record.name)}.{part}": (index, record.name)
            for index, block in enumerate(self.artifact.blocks)
            for record in block.projections
            for part in (("weight", "bias") if record.bias else ("weight",))
        }
