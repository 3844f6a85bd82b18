"""The compressed model on disk: what couples the compressor to the simulator.

A directory of ``manifest.json``, ``blocks/NNN.safetensors``, ``rest.safetensors`` and the model's
configuration and tokenizer files. Writing happens in ``artifact_writer.py``; here it is opened,
validated and read. The simulator reads masks only, memory-mapped.
"""

import dataclasses
import functools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
from numpy.typing import NDArray

from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.shapes.gemm import Gemm, Module
from workloads.support.errors import InputError
from workloads.support.files import TensorFile, open_tensors, read_json, sha256_file

FORMAT = "sslc-artifact"
VERSION = 1
MANIFEST = "manifest.json"
REST = "rest.safetensors"
VALUE_BYTES = {"BF16": 2, "F16": 2, "F32": 4}
"""Bytes of a stored value by dtype."""
_OPTIONAL = ("choice", "recovery")
_TRAINED_NAMES = {"factors": " + recovery", "lora": " + LoRA"}


@dataclass(frozen=True, eq=False)
class CompressedTensors:
    """What is stored for one projection: W ≈ S + U Vᵀ.

    Attributes:
        mask: Places of S, m×n.
        values: S at those places in row-major order, shape (nonzeros,).
        u: m×r.
        v: n×r.
        bias: Shape (m,), or None.
    """

    mask: PackedMask
    values: NDArray[Any]
    u: NDArray[Any]
    v: NDArray[Any]
    bias: NDArray[Any] | None = None


@dataclass(frozen=True)
class ProjectionRecord:
    """One projection's line in the manifest.

    ``scaled_error`` is ‖(W − S − L)D‖_F / ‖WD‖_F, or None where L was trained afterwards.
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

    @property
    def factor_parameters(self) -> int:
        """Entries of U and V."""
        return self.rank * (self.m + self.n)

    def stored_bytes(self, value_bytes: int) -> int:
        """Bytes of mask, values and factors at so many bytes a value."""
        mask = self.m * -(-self.n // 8)
        return mask + value_bytes * (self.nonzeros + self.factor_parameters)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor that the block's file must hold for this projection."""
        shapes: dict[str, tuple[int, ...]] = {
            "mask": (self.m, -(-self.n // 8)),
            "values": (self.nonzeros,),
            "u": (self.m, self.rank),
            "v": (self.n, self.rank),
        }
        return shapes | ({"bias": (self.m,)} if self.bias else {})


@dataclass(frozen=True)
class BlockRecord:
    """One block's file and projections."""

    file: str
    sha256: str
    projections: tuple[ProjectionRecord, ...]

    @staticmethod
    def from_json(entry: Mapping[str, Any]) -> "BlockRecord":
        """From a parsed manifest entry that the schema has accepted."""
        projections = tuple(ProjectionRecord(**item) for item in entry["projections"])
        return BlockRecord(entry["file"], entry["sha256"], projections)


@dataclass(frozen=True)
class Settings:
    """What determines an artifact's bytes.

    Attributes:
        base_model: Name, architecture and hash.
        method: Name and settings.
        calibration: Text and windows.
        dtype: Of what is stored.
        choice: Patterns of projections that were left dense or got other settings; empty, and then
            not in the manifest, when all were treated alike.
        recovery: How U and V were trained afterwards, on what and from which artifact; empty, and
            then not in the manifest, when they were not.
    """

    base_model: Mapping[str, str]
    method: Mapping[str, Any]
    calibration: Mapping[str, Any]
    dtype: str
    choice: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    recovery: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def method_name(self) -> str:
        """The method, and what was trained after it, as tables call it."""
        name = str(self.method["name"])
        return name + _TRAINED_NAMES[self.recovery["trained"]] if self.recovery else name

    def to_json(self) -> dict[str, Any]:
        """The settings as they stand in the manifest."""
        settings = dataclasses.asdict(self)
        return {name: value for name, value in settings.items() if name not in _OPTIONAL or value}


@dataclass(frozen=True)
class Artifact:
    """An opened, validated artifact; ``training_loss`` is empty where nothing was trained."""

    path: Path
    settings: Settings
    blocks: tuple[BlockRecord, ...]
    files: tuple[str, ...]
    sha256: Mapping[str, str]
    training_loss: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def projections(self, tokens: int = 1) -> Iterator[tuple[int, SparseLowRankGemm]]:
        """Every projection as the simulator runs it, block by block, masks memory-mapped.

        Args:
            tokens: Tokens per product.

        Yields:
            Block index and the projection.

        Raises:
            InputError: A mask's popcount or padding disagrees with the manifest.
        """
        for index, block in enumerate(self.blocks):
            stored = open_tensors(self.path / block.file)
            for record in block.projections:
                gemm = Gemm(record.name, record.module, record.m, record.n, tokens)
                yield index, SparseLowRankGemm(gemm, _read_mask(stored, record), record.rank)

    def read(self, block: int, name: str) -> CompressedTensors:
        """The stored tensors of one projection.

        Raises:
            InputError: The projection is unknown, its mask disagrees with the manifest, or a value
                is not finite.
        """
        record = self._record(block, name)
        return read_projection(open_tensors(self.path / self.blocks[block].file), record)

    def verify_hashes(self) -> None:
        """Compare every file's SHA-256 with the manifest.

        Raises:
            InputError: A file differs; the message names it.
        """
        for file, expected in self.sha256.items():
            if sha256_file(self.path / file) != expected:
                raise InputError(f"{self.path / file}: SHA-256 differs from {MANIFEST}")

    def _record(self, block: int, name: str) -> ProjectionRecord:
        for record in self.blocks[block].projections:
            if record.name == name:
                return record
        raise InputError(f"{self.path}: block {block} has no projection {name!r}")


def read_projection(stored: TensorFile, record: ProjectionRecord) -> CompressedTensors:
    """One projection's tensors from its block's file.

    Raises:
        InputError: Its mask disagrees with the record, or a value is not finite.
    """
    names = {part: f"{record.name}.{part}" for part in record.shapes() if part != "mask"}
    parts = {part: stored.read(name) for part, name in names.items()}
    for part, array in parts.items():
        if not np.isfinite(array.astype(np.float32)).all():
            raise InputError(f"{stored.path}: {names[part]} holds values that are not finite")
    return CompressedTensors(_read_mask(stored, record), **parts)


def kept_share(blocks: tuple[BlockRecord, ...]) -> float:
    """Stored values of S, U and V over the parameters of the projections."""
    counts = totals(blocks)
    return (counts["nonzeros"] + counts["factor_parameters"]) / counts["parameters"]


def totals(blocks: tuple[BlockRecord, ...]) -> dict[str, int]:
    """Whole-model counts over the compressed projections."""
    records = [record for block in blocks for record in block.projections]
    return {
        "parameters": sum(record.m * record.n for record in records),
        "nonzeros": sum(record.nonzeros for record in records),
        "factor_parameters": sum(record.factor_parameters for record in records),
    }


def open_artifact(path: Path) -> Artifact:
    """Open an artifact and validate everything but the data itself.

    Args:
        path: The artifact's directory.

    Raises:
        InputError: Not an artifact, an unknown version, a manifest that breaks the schema, or a
            file that is missing, truncated, or of another shape than the manifest says.
    """
    if not (path / MANIFEST).is_file():
        raise InputError(f"{path}: not an artifact (no {MANIFEST}); `sslc compress` writes one")
    manifest = read_json(path / MANIFEST)
    _check_schema(manifest, path / MANIFEST)
    blocks = tuple(BlockRecord.from_json(entry) for entry in manifest["blocks"])
    if manifest["totals"] != totals(blocks):
        raise InputError(f"{path / MANIFEST}: totals do not add up to {totals(blocks)}")
    for block in blocks:
        _check_block(open_tensors(path / block.file), block, manifest["dtype"])
    open_tensors(path / REST)
    hashes = {block.file: block.sha256 for block in blocks}
    hashes |= {entry["file"]: entry["sha256"] for entry in [manifest["rest"], *manifest["files"]]}
    for file in hashes:
        if not (path / file).is_file():
            raise InputError(f"{path / file}: missing from the artifact")
    fields = Settings.__dataclass_fields__
    settings = Settings(**{name: manifest[name] for name in fields if name in manifest})
    files = tuple(entry["file"] for entry in manifest["files"])
    return Artifact(path, settings, blocks, files, hashes, manifest.get("training_loss", {}))


@functools.cache
def _schema() -> Any:
    text = (resources.files("workloads.artifact") / "artifact.schema.json").read_text(
        encoding="utf-8"
    )
    return json.loads(text)


def _check_schema(manifest: Any, path: Path) -> None:
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InputError(f"{path}: not an artifact's manifest (no format {FORMAT!r})")
    if manifest.get("version") != VERSION:
        found = manifest.get("version")
        raise InputError(f"{path}: version {found!r} is not supported; this reads {VERSION}")
    error = jsonschema.exceptions.best_match(
        jsonschema.Draft202012Validator(_schema()).iter_errors(manifest)
    )
    if error is not None:
        raise InputError(f"{path}: {error.json_path}: {error.message[:300]}")


def _check_block(stored: TensorFile, block: BlockRecord, dtype: str) -> None:
    expected = {
        f"{record.name}.{part}": ("U8" if part == "mask" else dtype, shape)
        for record in block.projections
        for part, shape in record.shapes().items()
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
    for record in block.projections:
        if record.nonzeros > math.prod((record.m, record.n)):
            raise InputError(f"{stored.path}: {record.name} has more nonzeros than entries")


def _read_mask(stored: TensorFile, record: ProjectionRecord) -> PackedMask:
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
