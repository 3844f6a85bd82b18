"""An artifact as a plain Hugging Face checkpoint: dense tensors W' = S + U Vᵀ."""

import os
import shutil
from pathlib import Path

from sslc.checkpoint import TORCH_DTYPES
from sslc.stored import ArtifactWeights, to_numpy
from workloads.artifact import Artifact
from workloads.errors import InputError
from workloads.files import read_json, write_json, write_tensors
from workloads.progress import Progress, silent

_SHARD_BYTES = 2_000_000_000
_CONFIG_DTYPES = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}


def export_dense(
    artifact: Artifact, target: Path, dtype: str = "F32", progress: Progress = silent
) -> Path:
    """Write a checkpoint that transformers loads unchanged, in shards, atomically.

    Args:
        artifact: The compressed model.
        target: A directory that does not exist yet.
        dtype: Of every tensor. S + U Vᵀ needs more digits than S, U and V have: rounding it to
            BF16 or F16 moves the weights a little.
        progress: Told after every tensor.

    Returns:
        The directory.

    Raises:
        InputError: Something stands there already, or the dtype is unknown.
    """
    if dtype not in TORCH_DTYPES:
        raise InputError(f"dtype {dtype!r} cannot be exported; give {', '.join(TORCH_DTYPES)}")
    if target.exists():
        raise InputError(f"{target} exists already; remove it or choose another directory")
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    partial.mkdir(parents=True)
    try:
        _write_shards(ArtifactWeights(artifact), partial, dtype, progress)
        for file in artifact.files:
            shutil.copyfile(artifact.path / file, partial / file)
        config = read_json(partial / "config.json")
        config.pop("torch_dtype", None)
        write_json(partial / "config.json", config | {"dtype": _CONFIG_DTYPES[dtype]})
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _write_shards(
    weights: ArtifactWeights, directory: Path, dtype: str, progress: Progress
) -> None:
    names = sorted(weights.names())
    shard, size, total = {}, 0, 0
    place: dict[str, str] = {}
    for done, name in enumerate(names, 1):
        shard[name] = to_numpy(weights.tensor(name).to(TORCH_DTYPES[dtype]))
        size += shard[name].nbytes
        progress("export", done, len(names))
        if size >= _SHARD_BYTES or done == len(names):
            file = f"model-{len(set(place.values())) + 1:05d}.safetensors"
            write_tensors(directory / file, shard)
            place |= dict.fromkeys(shard, file)
            total, shard, size = total + size, {}, 0
    index = {"metadata": {"total_size": total}, "weight_map": place}
    write_json(directory / "model.safetensors.index.json", index)
