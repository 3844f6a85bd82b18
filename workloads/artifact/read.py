"""The compressed model on disk: what couples the compressor to the simulator.

A directory of ``manifest.json``, ``blocks/NNN.safetensors``, ``rest.safetensors`` and the model's
configuration and tokenizer files. Writing happens in ``write.py``; here it is opened,
validated and read. The simulator reads masks only, memory-mapped.
"""

import dataclasses
import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workloads.artifact.manifest import VERSION, check_manifest
from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.shapes.gemm import Gemm, Module
from workloads.support.errors import InputError, InputWarning
from workloads.support.files import TensorFile, open_tensors, read_json, sha256_file
from workloads.support.progress import Progress, silent

MANIFEST = "manifest.json"
REST = "rest.safetensors"
VALUE_BYTES = {"BF16": 2, "F16": 2, "F32": 4}
"""Bytes of a stored value by dtype."""
_OPTIONAL = ("choice", "recovery", "refinement")
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

    @staticmethod
    def from_json(item: Mapping[str, Any]) -> "ProjectionRecord":
        """From an entry that the schema has accepted, to which 64.0 is a whole number too."""
        counts = {name: int(item[name]) for name in ("m", "n", "rank", "nonzeros")}
        return ProjectionRecord(**{**item, **counts})

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

    @staticmethod
    def from_json(entry: Mapping[str, Any]) -> "BlockRecord":
        """From a parsed manifest entry that the schema has accepted."""
        projections = tuple(ProjectionRecord.from_json(item) for item in entry["projections"])
        tensors = entry.get("tensors", {})
        return BlockRecord(entry["file"], entry["sha256"], projections, tensors)


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
    refinement: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def method_name(self) -> str:
        """The method, and what was trained after it, as tables call it."""
        name = " + ".join([str(self.method["name"]), *self.refinement])
        return name + _TRAINED_NAMES[self.recovery["trained"]] if self.recovery else name

    def to_json(self) -> dict[str, Any]:
        """The settings as they stand in the manifest."""
        settings = dataclasses.asdict(self)
        return {name: value for name, value in settings.items() if name not in _OPTIONAL or value}


@dataclass(frozen=True)
class Artifact:
    """An opened, validated artifact.

    Attributes:
        path: Its directory.
        settings: What determines its bytes.
        blocks: Records of its blocks.
        files: Companion files.
        sha256: Of every file but the manifest.
        training_loss: Of a recovery; empty where nothing was trained.
        rest: SHA-256 of each tensor of ``REST`` by name; none in version 1.
    """

    path: Path
    settings: Settings
    blocks: tuple[BlockRecord, ...]
    files: tuple[str, ...]
    sha256: Mapping[str, str]
    training_loss: Mapping[str, float] = dataclasses.field(default_factory=dict)
    rest: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def projections(self, tokens: int = 1) -> Iterator[tuple[int, SparseLowRankGemm]]:
        """Every projection as the simulator runs it, block by block, masks memory-mapped.

        Args:
            tokens: Tokens per product.

        Yields:
            Block index and the projection.

        Raises:
            InputError: A mask's hash, popcount or padding disagrees with the manifest.
        """
        for index, block in enumerate(self.blocks):
            stored = open_tensors(self.path / block.file, block.tensors)
            for record in block.projections:
                gemm = Gemm(record.name, record.module, record.m, record.n, tokens)
                yield index, SparseLowRankGemm(gemm, _read_mask(stored, record), record.rank)

    def read(self, block: int, name: str) -> CompressedTensors:
        """The stored tensors of one projection.

        Raises:
            InputError: The projection is unknown, its mask or a tensor's hash disagrees with the
                manifest, or a value is not finite.
        """
        record, entry = self._record(block, name), self.blocks[block]
        return read_projection(open_tensors(self.path / entry.file, entry.tensors), record)

    def read_rest(self) -> TensorFile:
        """The tensors outside the projections, each compared with its hash when it is read."""
        return open_tensors(self.path / REST, self.rest)

    def verify(self, progress: Progress = silent) -> None:
        """Compare every byte with the manifest: hashes of tensors and files, masks, finite values.

        Args:
            progress: Told after every file.

        Raises:
            InputError: Something differs; the message names the tensor, else the file.
        """
        for index, block in enumerate(self.blocks):
            progress("verify", index, len(self.blocks))
            stored = open_tensors(self.path / block.file, block.tensors)
            for record in block.projections:
                read_projection(stored, record)
        rest = self.read_rest()
        for name in rest.tensors:
            rest.read(name)
        for file, expected in self.sha256.items():
            if sha256_file(self.path / file) != expected:
                raise InputError(
                    f"{self.path / file}: is damaged (its SHA-256 is not that of {MANIFEST})"
                )
        progress("verify", len(self.blocks), len(self.blocks))

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


def block_file(index: int) -> str:
    """Name of a block's file under the artifact's directory."""
    return f"blocks/{index:03d}.safetensors"


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
    check_manifest(manifest, path / MANIFEST)
    blocks = tuple(BlockRecord.from_json(entry) for entry in manifest["blocks"])
    version, rest = int(manifest["version"]), manifest["rest"]
    if version < VERSION:
        warnings.warn(
            f"{path} is of version {version}, without hashes of its tensors: damage to them is "
            "seen by `sslc verify` only; compressing again gives the hashes",
            InputWarning,
            stacklevel=2,
        )
    if manifest["totals"] != totals(blocks):
        raise InputError(f"{path / MANIFEST}: totals do not add up to {totals(blocks)}")
    for index, block in enumerate(blocks):
        _check_names(block, index, path / MANIFEST)
        stored = open_tensors(path / block.file, block.tensors)
        _check_block(stored, block, manifest["dtype"])
        _check_hashed(stored, version)
    _check_hashed(open_tensors(path / REST, rest.get("tensors")), version)
    hashes = {block.file: block.sha256 for block in blocks}
    hashes |= {entry["file"]: entry["sha256"] for entry in [rest, *manifest["files"]]}
    for file in hashes:
        if not (path / file).is_file():
            raise InputError(f"{path / file}: missing from the artifact")
    fields = Settings.__dataclass_fields__
    settings = Settings(**{name: manifest[name] for name in fields if name in manifest})
    files = tuple(entry["file"] for entry in manifest["files"])
    loss, tensors = manifest.get("training_loss", {}), rest.get("tensors", {})
    return Artifact(path, settings, blocks, files, hashes, loss, tensors)


def _check_names(block: BlockRecord, index: int, manifest: Path) -> None:
    if block.file != block_file(index):
        raise InputError(f"{manifest}: file of block {index} must be {block_file(index)}")
    names = [record.name for record in block.projections]
    if len(set(names)) < len(names):
        raise InputError(f"{manifest}: block {index} has a projection twice")


def _check_hashed(stored: TensorFile, version: int) -> None:
    """From version 2 on every tensor has its hash, and no other."""
    differing = stored.tensors.keys() ^ stored.sha256.keys() if version > 1 else set()
    if differing:
        raise InputError(
            f"{stored.path}: tensor {min(differing)!r} is not in both the file and {MANIFEST}"
        )


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
