"""What an artifact holds of a projection: its line in the manifest, and its tensors."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workloads.artifact.packing import (
    number_factor,
    number_values,
    pack_integers,
    unpack_integers,
    value_scales,
)
from workloads.artifact.storage import FLOAT_BYTES, INTEGER_BITS, Part, Storage
from workloads.masks.packed import PackedMask
from workloads.shapes.gemm import Gemm, Module
from workloads.support.errors import InputError
from workloads.support.files import TensorFile


@dataclass(frozen=True, eq=False)
class CompressedTensors:
    """What is stored for one projection: W ≈ S + U Vᵀ, rounded as it is stored.

    Attributes:
        mask: Places of S, m×n.
        values: S at those places in row-major order, shape (nonzeros,); float32 where the file
            holds whole numbers.
        u: m×r, likewise.
        v: n×r.
        bias: Shape (m,), or None.
        scales: bf16 scales by name (``value_scales``, ``u_scales``, ``v_scales``), those that the
            formats have: every value is a number of its format times its scale.
    """

    mask: PackedMask
    values: NDArray[Any]
    u: NDArray[Any]
    v: NDArray[Any]
    bias: NDArray[Any] | None = None
    scales: Mapping[str, NDArray[Any]] = dataclasses.field(default_factory=dict)

    def packed(self, storage: Storage) -> dict[str, NDArray[Any]]:
        """The arrays as they lie in the file, by part."""
        parts: dict[str, NDArray[Any]] = {"mask": self.mask.bits} if storage.mask else {}
        parts |= {"values": self.values, "u": self.u, "v": self.v, **self.scales}
        if storage.scale_columns:
            every = value_scales(self.mask, self.scales["value_scales"], storage.scale_columns)
            numbers = number_values(self.values, every)
            bits = storage.value_bits
            parts["values"] = numbers if bits == 8 else pack_integers(numbers, bits)
        if storage.scaled_factors:
            for name in ("u", "v"):
                scales = self.scales[f"{name}_scales"]
                parts[name] = number_factor(parts[name], scales, storage.factors)
        return parts if self.bias is None else parts | {"bias": self.bias}


@dataclass(frozen=True)
class ProjectionRecord:
    """One projection's line in the manifest.

    ``scaled_error`` is ‖(W − S − L)D‖_F / ‖WD‖_F, or None where L was trained afterwards;
    ``routed_tokens`` how many calibration tokens the router sent to an expert's projection, None
    for others and where nobody counted.
    """

    name: str
    module: Module
    m: int
    n: int
    rank: int
    kept_fraction: float
    nonzeros: int
    bias: bool
    scaled_error: float | None
    storage: Storage
    routed_tokens: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Its line; what only experts have is left out of others'."""
        line = dataclasses.asdict(self)
        if self.routed_tokens is None:
            del line["routed_tokens"]
        return line

    @staticmethod
    def from_json(item: Mapping[str, Any], dtype: str) -> "ProjectionRecord":
        """From an entry that the schema has accepted, to which 64.0 is a whole number too.

        Args:
            item: The entry.
            dtype: Of the artifact: of all parts where the entry does not say how they are stored.
        """
        counts = {name: int(item[name]) for name in ("m", "n", "rank", "nonzeros")}
        stored = item.get("storage")
        storage = Storage.plain(dtype) if stored is None else Storage.from_json(stored)
        return ProjectionRecord(**{**item, **counts, "storage": storage})

    @property
    def factor_parameters(self) -> int:
        """Entries of U and V."""
        return self.rank * (self.m + self.n)

    @property
    def stored_bytes(self) -> int:
        """Bytes of mask, values, scales and factors."""
        return self.storage.stored_bytes(self.m, self.n, rank=self.rank, nonzeros=self.nonzeros)

    def parts(self, dtype: str) -> dict[str, Part]:
        """Dtype and shape of every tensor that the block's file must hold for this projection.

        Args:
            dtype: Of the artifact, in which biases are stored.
        """
        parts = self.storage.parts(self.m, self.n, rank=self.rank, nonzeros=self.nonzeros)
        return parts | ({"bias": (dtype, (self.m,))} if self.bias else {})

    def gemm(self, tokens: int = 1) -> Gemm:
        """Its shape as a product with so many tokens."""
        return Gemm(self.name, self.module, self.m, self.n, tokens)


@dataclass(frozen=True)
class BlockRecord:
    """One block's file and projections.

    Attributes:
        file: Under the artifact's directory.
        sha256: Of the file, hexadecimal.
        projections: In the order in which they run.
        tensors: SHA-256 of each tensor's bytes by its name in the file; none in version 1.
    """

    file: str
    sha256: str
    projections: tuple[ProjectionRecord, ...]
    tensors: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Its entry in the manifest."""
        projections = [record.to_json() for record in self.projections]
        return dataclasses.asdict(dataclasses.replace(self, projections=())) | {
            "projections": projections
        }

    @staticmethod
    def from_json(entry: Mapping[str, Any], dtype: str) -> "BlockRecord":
        """From a parsed manifest entry that the schema has accepted; ``dtype`` as in its parts."""
        projections = (ProjectionRecord.from_json(item, dtype) for item in entry["projections"])
        tensors = entry.get("tensors", {})
        return BlockRecord(entry["file"], entry["sha256"], tuple(projections), tensors)


def read_projection(stored: TensorFile, record: ProjectionRecord) -> CompressedTensors:
    """One projection's tensors from its block's file, numbers with their scales applied.

    Raises:
        InputError: Its mask disagrees with the record, or a value is not finite.
    """
    storage, mask = record.storage, read_mask(stored, record)
    names = [part for part in record.parts("") if part != "mask"]
    parts = {part: _read_finite(stored, record, part) for part in names}
    scales = {part: parts.pop(part) for part in names if part.endswith("_scales")}
    if storage.values in INTEGER_BITS:
        numbers = _read_integers(stored, record, parts["values"])
        every = value_scales(mask, scales["value_scales"], storage.scale_columns)
        parts["values"] = numbers.astype(np.float32) * every
    if storage.scaled_factors:
        for part in ("u", "v"):
            by_column = scales[f"{part}_scales"].astype(np.float32)
            parts[part] = parts[part].astype(np.float32) * by_column
    return CompressedTensors(mask, **parts, scales=scales)


def _read_finite(stored: TensorFile, record: ProjectionRecord, part: str) -> NDArray[Any]:
    name = f"{record.name}.{part}"
    array = stored.read(name)
    exact = array.dtype.kind in "iu"
    wide = array if exact else array.astype(np.float32)
    if not exact and not np.isfinite(wide).all():
        raise InputError(f"{stored.path}: {name} holds values that are not finite")
    if part.endswith("_scales") and (wide < 0).any():
        raise InputError(f"{stored.path}: {name} holds negative scales")
    return array


def _read_integers(
    stored: TensorFile, record: ProjectionRecord, array: NDArray[Any]
) -> NDArray[np.int8]:
    bits = record.storage.value_bits
    try:
        return array if bits == 8 else unpack_integers(array, bits, record.nonzeros)
    except ValueError as error:
        raise InputError(f"{stored.path}: {record.name}.values {error}") from error


def read_mask(stored: TensorFile, record: ProjectionRecord) -> PackedMask:
    """The places of S, memory-mapped where they are stored; all of them where they are not.

    Raises:
        InputError: It disagrees with the record.
    """
    if not record.storage.mask:
        return full_mask(record.m, record.n)
    mask = PackedMask(stored.read(f"{record.name}.mask"), record.n)
    if mask.nnz != record.nonzeros:
        raise InputError(
            f"{stored.path}: {record.name}.mask has {mask.nnz} bits set, "
            f"the manifest says {record.nonzeros}"
        )
    spare = record.n % 8
    if spare and (np.asarray(mask.bits[:, -1]) >> spare).any():
        raise InputError(f"{stored.path}: {record.name}.mask has bits set past column {record.n}")
    return mask


def full_mask(m: int, n: int) -> PackedMask:
    """A mask that keeps every entry of an m×n matrix."""
    return PackedMask(np.tile(np.packbits(np.ones(n, np.bool_), bitorder="little"), (m, 1)), n)


def kept_share(blocks: tuple[BlockRecord, ...]) -> float:
    """Stored values of S, U and V over the parameters of the projections."""
    counts = totals(blocks)
    return (counts["nonzeros"] + counts["factor_parameters"]) / counts["parameters"]


def stored_formats(blocks: tuple[BlockRecord, ...]) -> str:
    """Formats of S, and of the factors where those differ, of all projections, as ``I4/I8``."""
    pairs = {
        (record.storage.values, record.storage.factors if record.rank else record.storage.values)
        for block in blocks
        for record in block.projections
    }
    return ", ".join(sorted("/".join(dict.fromkeys(pair)) for pair in pairs))


def totals(blocks: tuple[BlockRecord, ...]) -> dict[str, int]:
    """Whole-model counts over the compressed projections."""
    records = [record for block in blocks for record in block.projections]
    return {
        "parameters": sum(record.m * record.n for record in records),
        "nonzeros": sum(record.nonzeros for record in records),
        "factor_parameters": sum(record.factor_parameters for record in records),
    }


def weight_bits(blocks: tuple[BlockRecord, ...]) -> float:
    """Stored bits a weight: of masks, values, scales and factors, over the parameters."""
    records = [record for block in blocks for record in block.projections]
    stored = sum(record.stored_bytes for record in records)
    return 8 * stored / totals(blocks)["parameters"]


def check_block(stored: TensorFile, block: BlockRecord, dtype: str) -> None:
    """Compare a block's file with its records: names, dtypes and shapes of its tensors.

    Args:
        stored: The opened file.
        block: Its records.
        dtype: Of the artifact.

    Raises:
        InputError: They differ; the message names the tensor.
    """
    for record in block.projections:
        _check_record(stored, record)
    expected = {
        f"{record.name}.{part}": described
        for record in block.projections
        for part, described in record.parts(dtype).items()
    }
    for name, (kind, shape) in expected.items():
        found = stored.tensors.get(name)
        if found is None:
            raise InputError(f"{stored.path}: tensor {name!r} is missing")
        if (found.dtype, found.shape) != (kind, shape):
            raise InputError(
                f"{stored.path}: tensor {name!r} is {found.dtype} {list(found.shape)}, "
                f"the manifest says {kind} {list(shape)}"
            )


def _check_record(stored: TensorFile, record: ProjectionRecord) -> None:
    storage = record.storage
    if record.nonzeros > record.m * record.n:
        raise InputError(f"{stored.path}: {record.name} has more nonzeros than entries")
    if not storage.mask and record.nonzeros < record.m * record.n:
        raise InputError(f"{stored.path}: {record.name} has no mask and does not keep every entry")
    if (storage.values in FLOAT_BYTES) != (storage.scale_columns == 0):
        raise InputError(
            f"{stored.path}: {record.name} has {storage.values} values with scale_columns "
            f"{storage.scale_columns}"
        )
