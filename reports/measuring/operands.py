"""What is measured: projections of an artifact, or of a model's shape with synthetic masks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import ml_dtypes
import numpy as np
import torch
from numpy.typing import NDArray

from sslc.model.weights import to_torch
from sslc.runtime.backends import Projection
from sslc.runtime.bitmap import VALUE_TYPES, SparseRows
from sslc.runtime.quantize import quantize_rows
from workloads.artifact.read import Artifact
from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.masks.synthetic import wanda_lognormal_mask
from workloads.results.identity import Subject
from workloads.results.subject import subject_of
from workloads.results.workload import WorkloadHash
from workloads.shapes.gemm import Gemm, kept_nonzeros, largest_rank
from workloads.shapes.transformer import load_model
from workloads.support.errors import InputError

DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32, "int8": torch.float32}
"""Of activations, by the dtype of weights."""


@dataclass(frozen=True, eq=False)
class Operands:
    """W ≈ S + U Vᵀ of one projection, in fp32.

    Attributes:
        block: Which block.
        gemm: Name, module and shape.
        mask: Places of S.
        values: S at those places in row-major order.
        u: m×r.
        v: n×r.
    """

    block: int
    gemm: Gemm
    mask: PackedMask
    values: NDArray[np.float32]
    u: NDArray[np.float32]
    v: NDArray[np.float32]

    @property
    def rank(self) -> int:
        """r."""
        return int(self.u.shape[1])

    @cached_property
    def sparse(self) -> torch.Tensor:
        """S, dense, m×n, fp32."""
        sparse = torch.zeros(self.gemm.m, self.gemm.n)
        mask = torch.from_numpy(self.mask.unpack())
        return sparse.masked_scatter_(mask, torch.from_numpy(self.values))

    @cached_property
    def weight(self) -> torch.Tensor:
        """S + U Vᵀ, m×n, fp32."""
        return torch.addmm(self.sparse, torch.from_numpy(self.u), torch.from_numpy(self.v).T)

    def stored(self, dtype: str) -> Projection:
        """As kernels take it.

        Args:
            dtype: ``bf16``, ``fp32``, or ``int8`` in groups of 128 columns of a row.
        """
        kind = VALUE_TYPES[dtype]
        n, bits = self.gemm.n, self.mask.bits
        u, v = self.u.astype(kind.factor_dtype), self.v.astype(kind.factor_dtype)
        if dtype != "int8":
            return Projection(bits, self.values.astype(kind.dtype), n, u, v)
        rows = quantize_rows(SparseRows(bits, self.values, n))
        return Projection(bits, rows.values, n, u, v, scales=rows.scales)


@dataclass(frozen=True, eq=False)
class MeasuredSource:
    """Blocks of projections.

    Attributes:
        blocks: Which, in order.
        count: Projections of all.
        projections: One after the other.
        subject: What results are about, after all were given.
    """

    blocks: tuple[int, ...]
    count: int
    projections: Callable[[], Iterator[Operands]]
    subject: Callable[[], Subject]


def artifact_source(artifact: Artifact, blocks: Sequence[int]) -> MeasuredSource:
    """Some blocks of an artifact.

    Raises:
        InputError: A block index is out of range.
    """
    chosen = tuple(sorted(set(blocks)))
    for index in chosen:
        if not 0 <= index < len(artifact.blocks):
            raise InputError(
                f"block {index}: the artifact has blocks 0 to {len(artifact.blocks) - 1}"
            )

    def projections() -> Iterator[Operands]:
        for index in chosen:
            for record in artifact.blocks[index].projections:
                stored = artifact.read(index, record.name)
                gemm = Gemm(record.name, record.module, record.m, record.n)
                arrays = (_wide(array) for array in (stored.values, stored.u, stored.v))
                yield Operands(index, gemm, stored.mask, *arrays)

    count = sum(len(artifact.blocks[index].projections) for index in chosen)
    return MeasuredSource(chosen, count, projections, lambda: subject_of(artifact))


def shape_source(
    name: str, blocks: Sequence[int], *, kept_fraction: float, rank_share: float, seed: int = 0
) -> MeasuredSource:
    """Some blocks of a model's shape with synthetic masks and random values.

    Args:
        name: Of the shape.
        blocks: Block indices; each has masks of its own seed.
        kept_fraction: Kept share of all parameters, factors included.
        rank_share: Share of all parameters in U and V.
        seed: Of the first block.

    Raises:
        InputError: The shape is unknown, a block out of range, or the factors alone exceed the
            budget.
    """
    shape, chosen = load_model(name), tuple(sorted(set(blocks)))
    if not 0 <= rank_share <= kept_fraction <= 1:
        raise InputError(
            f"rank share {rank_share} and kept fraction {kept_fraction} must be in [0, 1], and the "
            "rank is paid for inside the kept fraction"
        )
    if chosen[0] < 0 or chosen[-1] >= shape.blocks:
        raise InputError(f"block {chosen[-1]}: {shape.name} has blocks 0 to {shape.blocks - 1}")
    run, kept, gemms = WorkloadHash(), [0, 0], shape.projections()

    def projections() -> Iterator[Operands]:
        for block in chosen:
            for place, gemm in enumerate(gemms):
                own = ((seed + block) * 1000) + place
                operands = _synthetic(block, gemm, (kept_fraction, rank_share), own)
                run.add(block, SparseLowRankGemm(gemm, operands.mask, operands.rank))
                kept[0] += len(operands.values) + operands.rank * (gemm.m + gemm.n)
                kept[1] += gemm.parameters
                yield operands

    def subject() -> Subject:
        settings = {"kept_fraction": kept_fraction, "rank_share": rank_share, "seed": seed}
        masks = "synthetic (wanda_lognormal), random values"
        share = kept[0] / kept[1]
        return Subject(shape.name, "synthetic", share, masks, run.hexdigest(), None, settings)

    return MeasuredSource(chosen, len(chosen) * len(gemms), projections, subject)


def synthetic_operands(
    m: int, n: int, *, kept_fraction: float, rank_share: float, seed: int
) -> Operands:
    """One projection with a synthetic mask and random values.

    Args:
        m: Rows.
        n: Columns.
        kept_fraction: Kept share of all parameters, factors included.
        rank_share: Share of all parameters in U and V.
        seed: Of mask and values.
    """
    return _synthetic(0, Gemm(f"{m}x{n}", "FFN", m, n), (kept_fraction, rank_share), seed)


def _synthetic(block: int, gemm: Gemm, shares: tuple[float, float], seed: int) -> Operands:
    kept_fraction, rank_share = shares
    m, n = gemm.m, gemm.n
    rank = largest_rank(m, n, rank_share)
    mask = wanda_lognormal_mask(m, n, kept_nonzeros(m, n, kept_fraction, rank), seed)
    random = np.random.default_rng(seed)
    sizes = ((mask.nnz,), (m, rank), (n, rank))
    arrays = (random.standard_normal(size, np.float32) for size in sizes)
    return Operands(block, gemm, mask, *arrays)


def _wide(array: NDArray[Any]) -> NDArray[np.float32]:
    numbers: NDArray[np.float32] = to_torch(array).float().numpy()
    return numbers


def quantized_dense(weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """W rounded to int8 in groups of 128 columns of a row, with the scales as bf16 holds them."""
    groups = np.pad(weight, ((0, 0), (0, -weight.shape[1] % 128))).reshape(len(weight), -1, 128)
    scales = (np.abs(groups).max(axis=2) / 127).astype(ml_dtypes.bfloat16).astype(np.float32)
    numbers = np.rint(groups / np.where(scales > 0, scales, 1)[:, :, None])
    whole = np.clip(numbers, -127, 127).astype(np.int8).reshape(len(weight), -1)
    return whole[:, : weight.shape[1]], scales
