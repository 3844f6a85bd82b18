"""An artifact as public formats: a dense checkpoint, or a sparse base with a LoRA adapter.

Both load with transformers (and PEFT) alone, without any code of ours.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from sslc.exporting.model_card import model_card, weight_bytes_of
from sslc.model.adapter import CONFIG, TENSORS, factor_names, lora_settings
from sslc.model.checkpoint import TORCH_DTYPES
from sslc.model.weights import ArtifactWeights, sparse_part, to_numpy, to_torch
from workloads.artifact.read import Artifact
from workloads.support.errors import InputError
from workloads.support.files import read_json, write_atomic, write_json, write_tensors
from workloads.support.progress import Progress, silent

_SHARD_BYTES = 2_000_000_000
_CONFIG_DTYPES = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}

Tensor = Callable[[str], torch.Tensor]


def export_dense(
    artifact: Artifact, target: Path, dtype: str = "F32", progress: Progress = silent
) -> None:
    """Write W' = S + U Vᵀ as a checkpoint that transformers loads unchanged, atomically.

    Args:
        artifact: The compressed model.
        target: A directory that does not exist yet.
        dtype: Of every tensor. S + U Vᵀ needs more digits than S, U and V have: rounding it to
            BF16 or F16 moves the weights a little.
        progress: Told after every tensor.

    Raises:
        InputError: Something stands there already, or the dtype is unknown.
    """
    if dtype not in TORCH_DTYPES:
        raise InputError(f"dtype {dtype!r} cannot be exported; give {', '.join(TORCH_DTYPES)}")

    def write(partial: Path) -> None:
        weights = ArtifactWeights(artifact)
        _write_checkpoint(artifact, weights.tensor, partial, dtype, progress)
        card = model_card(artifact, "dense", dtype, weight_bytes_of(partial))
        write_atomic(partial / "README.md", card.encode())

    _atomically(target, write)


def export_adapter(artifact: Artifact, target: Path, progress: Progress = silent) -> None:
    """Write S as a checkpoint and U, V as a PEFT LoRA adapter in its folder ``adapter``.

    The adapter's A = Vᵀ and B = U; r and alpha are equal for every projection, so its scale is 1
    and base plus adapter compute S X + U (Vᵀ X). Training it updates exactly U and V.

    Args:
        artifact: The compressed model; every tensor is written in the dtype of its projections.
        target: A directory that does not exist yet.
        progress: Told after every tensor.

    Raises:
        InputError: Something stands there already, or no projection has a low-rank part.

    Source: SSLC Eq. 9 (what is fine-tuned); the format is PEFT's.
    """
    weights, places = ArtifactWeights(artifact), _ranked(artifact)
    if not places:
        raise InputError(f"{artifact.path}: no projection has a low-rank part to adapt")
    compressed = {f"{name}.weight": place for name, (place, _) in _all(artifact).items()}

    def base(name: str) -> torch.Tensor:
        if name in compressed:
            return sparse_part(artifact.read(*compressed[name]))
        return weights.tensor(name)

    def write(partial: Path) -> None:
        dtype = artifact.settings.dtype
        _write_checkpoint(artifact, base, partial, dtype, progress)
        _write_adapter(artifact, places, partial / "adapter", target)
        size = weight_bytes_of(partial) + weight_bytes_of(partial / "adapter")
        for folder, library in ((partial, "transformers"), (partial / "adapter", "peft")):
            card = model_card(artifact, "adapter", dtype, size, library)
            write_atomic(folder / "README.md", card.encode())

    _atomically(target, write)


def _all(artifact: Artifact) -> dict[str, tuple[tuple[int, str], int]]:
    """Every compressed module by its full name: its place in the artifact and its rank."""
    return {
        f"model.layers.{index}.{record.name}": ((index, record.name), record.rank)
        for index, block in enumerate(artifact.blocks)
        for record in block.projections
    }


def _ranked(artifact: Artifact) -> dict[str, tuple[tuple[int, str], int]]:
    return {name: entry for name, entry in _all(artifact).items() if entry[1]}


def _write_adapter(
    artifact: Artifact,
    places: dict[str, tuple[tuple[int, str], int]],
    directory: Path,
    base: Path,
) -> None:
    directory.mkdir()
    tensors: dict[str, NDArray[Any]] = {}
    for name, (place, _) in places.items():
        stored = artifact.read(*place)
        a, b = factor_names(name)
        tensors |= {a: to_numpy(to_torch(stored.v).T), b: stored.u}
    write_tensors(directory / TENSORS, tensors)
    ranks = {name: rank for name, (_, rank) in places.items()}
    config = {
        "peft_type": "LORA",
        "base_model_name_or_path": str(base),
        "inference_mode": True,
        **lora_settings(ranks),
    }
    write_json(directory / CONFIG, config)


def _atomically(target: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a directory beside the target, then rename it into place."""
    if target.exists():
        raise InputError(f"{target} exists already; remove it or choose another directory")
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    partial.mkdir(parents=True)
    try:
        write(partial)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write_checkpoint(
    artifact: Artifact, tensor: Tensor, directory: Path, dtype: str, progress: Progress
) -> None:
    names = sorted(ArtifactWeights(artifact).names())
    shard: dict[str, NDArray[Any]] = {}
    place: dict[str, str] = {}
    size = total = 0
    for done, name in enumerate(names, 1):
        shard[name] = to_numpy(tensor(name).to(TORCH_DTYPES[dtype]))
        size += shard[name].nbytes
        progress("export", done, len(names))
        if size >= _SHARD_BYTES or done == len(names):
            file = f"model-{len(set(place.values())) + 1:05d}.safetensors"
            write_tensors(directory / file, shard)
            place |= dict.fromkeys(shard, file)
            total, shard, size = total + size, {}, 0
    index = {"metadata": {"total_size": total}, "weight_map": place}
    write_json(directory / "model.safetensors.index.json", index)
    for file in artifact.files:
        shutil.copyfile(artifact.path / file, directory / file)
    config = read_json(directory / "config.json")
    config.pop("torch_dtype", None)
    write_json(directory / "config.json", config | {"dtype": _CONFIG_DTYPES[dtype]})
