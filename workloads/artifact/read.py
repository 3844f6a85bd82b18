"""The compressed model on disk: what couples the compressor to the simulator.

A directory of ``manifest.json``, ``blocks/NNN.safetensors``, ``rest.safetensors`` and the model's
configuration and tokenizer files. Writing happens in ``write.py``; here it is opened,
validated and read. The simulator reads masks only, memory-mapped.
"""

import dataclasses
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workloads.artifact.manifest import HASHED, check_manifest
from workloads.artifact.record import (
    BlockRecord,
    CompressedTensors,
    ProjectionRecord,
    check_block,
    read_mask,
    read_projection,
    totals,
)
from workloads.masks.packed import SparseLowRankGemm
from workloads.shapes.experts import divide_tokens, expert_of, read_active
from workloads.support.errors import InputError, InputWarning
from workloads.support.files import TensorFile, open_tensors, read_json, sha256_file
from workloads.support.progress import Progress, silent

MANIFEST = "manifest.json"
REST = "rest.safetensors"
_OPTIONAL = ("choice", "recovery", "refinement")
_TRAINED_NAMES = {"factors": " + recovery", "lora": " + LoRA"}


@dataclass(frozen=True)
class Settings:
    """What determines an artifact's bytes.

    Attributes:
        base_model: Name, architecture and hash.
        method: Name and settings.
        calibration: Text and windows.
        dtype: Of what is stored and not rounded to fewer bits.
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
            for record, count in self._run(block, tokens):
                mask = read_mask(stored, record)
                gemm, stored_bits = record.gemm(count), record.storage.loaded
                yield index, SparseLowRankGemm(gemm, mask, record.rank, stored_bits)

    @property
    def experts(self) -> str:
        """How tokens are divided among experts, in words; empty where there are none."""
        seen = [count for block in self.blocks for _, count in _routed(block)]
        if not seen:
            return ""
        shares = "evenly (assumed)" if None in seen else "as in calibration (measured)"
        return (
            f"{read_active(self.path)} of {len(_routed(self.blocks[0]))} experts run each token, "
            f"tokens divided {shares}"
        )

    def _run(self, block: BlockRecord, tokens: int) -> Iterator[tuple[ProjectionRecord, int]]:
        """The projections that run when a block gets some tokens, each with those it gets."""
        routed, divided = _routed(block), {}
        if routed:
            counts = [count for _, count in routed]
            seen = [1] * len(counts) if None in counts else counts
            parts = divide_tokens(tokens, read_active(self.path), [count or 0 for count in seen])
            divided = dict(zip((expert for expert, _ in routed), parts, strict=True))
        for record in block.projections:
            expert = expert_of(record.name)
            count = tokens if expert is None else divided[expert]
            if count:
                yield record, count

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


def _routed(block: BlockRecord) -> list[tuple[int, int | None]]:
    """Every expert of a block and the calibration tokens that reached it, None if not counted."""
    routed = {expert_of(record.name): record.routed_tokens for record in block.projections}
    return [(expert, count) for expert, count in routed.items() if expert is not None]


def block_file(index: int) -> str:
    """Name of a block's file under the artifact's directory."""
    return f"blocks/{index:03d}.safetensors"


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
    blocks = tuple(BlockRecord.from_json(entry, manifest["dtype"]) for entry in manifest["blocks"])
    version, rest = int(manifest["version"]), manifest["rest"]
    if version < HASHED:
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
        check_block(stored, block, manifest["dtype"])
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
    differing = stored.tensors.keys() ^ stored.sha256.keys() if version >= HASHED else set()
    if differing:
        raise InputError(
            f"{stored.path}: tensor {min(differing)!r} is not in both the file and {MANIFEST}"
        )
