"""Between torch and the artifact: rounding to the stored dtype, and dense weights back."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import torch
from numpy.typing import NDArray

from sslc.checkpoint import TORCH_DTYPES
from sslc.methods.base import CompressedProjection
from workloads.artifact import REST, Artifact, CompressedTensors
from workloads.errors import InputError
from workloads.files import TensorFile, open_tensors
from workloads.masks import PackedMask


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


def to_stored(
    projection: CompressedProjection, dtype: str, bias: torch.Tensor | None
) -> CompressedTensors:
    """Round a compressed projection to the dtype in which it is stored.

    The rounding error of U Vᵀ is added to S at the kept places, so that rounding the factors
    costs nothing there.

    Args:
        projection: As the method left it.
        dtype: ``BF16``, ``F16`` or ``F32``.
        bias: The layer's bias, stored in the same dtype.

    Raises:
        ValueError: A value does not fit the dtype.
    """
    kind = TORCH_DTYPES[dtype]
    u, v = projection.u.to(kind), projection.v.to(kind)
    lost = projection.u @ projection.v.T - u.float() @ v.float().T
    values = (projection.sparse + lost)[projection.mask].to(kind)
    for tensor in (values, u, v):
        if not torch.isfinite(tensor).all():
            raise ValueError(f"a value is not finite in {dtype}")
    return CompressedTensors(
        PackedMask.pack(projection.mask.cpu().numpy()),
        to_numpy(values.cpu()),
        to_numpy(u.cpu()),
        to_numpy(v.cpu()),
        None if bias is None else to_numpy(bias.to(kind).cpu()),
    )


def sparse_part(stored: CompressedTensors) -> torch.Tensor:
    """S as a dense m×n float32 tensor."""
    sparse = torch.zeros(stored.mask.rows, stored.mask.columns)
    sparse[torch.from_numpy(stored.mask.unpack())] = to_torch(stored.values).float()
    return sparse


def dense_weight(stored: CompressedTensors) -> torch.Tensor:
    """W' = S + U Vᵀ, m×n, float32."""
    return sparse_part(stored).addmm_(to_torch(stored.u).float(), to_torch(stored.v).float().T)


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

    def tensor(self, name: str) -> torch.Tensor:
        """One dense tensor on the CPU.

        Raises:
            InputError: There is no such tensor, or it is broken.
        """
        place = self._compressed.get(name)
        if place is None:
            rest = self._rest
            if name not in rest.tensors:
                raise InputError(f"{rest.path}: tensor {name!r} is missing")
            return to_torch(rest.read(name))
        stored = self.artifact.read(*place)
        if name.endswith(".weight"):
            return dense_weight(stored)
        assert stored.bias is not None
        return to_torch(stored.bias)

    @functools.cached_property
    def _rest(self) -> TensorFile:
        return open_tensors(self.artifact.path / REST)

    @functools.cached_property
    def _compressed(self) -> dict[str, tuple[int, str]]:
        return {
            f"model.layers.{index}.{record.name}.{part}": (index, record.name)
            for index, block in enumerate(self.artifact.blocks)
            for record in block.projections
            for part in (("weight", "bias") if record.bias else ("weight",))
        }
