"""A directory that appears whole or not at all, and a checkpoint in shards with its companions."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from sslc.model.source import TORCH_DTYPES
from sslc.model.weights import ArtifactWeights, to_numpy
from workloads.artifact.read import Artifact
from workloads.support.errors import InputError
from workloads.support.files import read_json, write_json, write_tensors
from workloads.support.progress import Progress
from workloads.support.working import fresh_name, one_writer

_SHARD_BYTES = 2_000_000_000


_CONFIG_DTYPES = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}


Tensor = Callable[[str], torch.Tensor]


def atomically(target: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a directory beside the target, then rename it into place.

    Raises:
        InputError: Something stands at the target, or another run is writing there.
    """
    if os.path.lexists(target):
        raise InputError(f"{target} exists already; remove it or choose another directory")
    with one_writer(target):
        partial = fresh_name(target, "partial")
        partial.mkdir(parents=True)
        try:
            write(partial)
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def write_checkpoint(
    artifact: Artifact, tensor: Tensor, *, directory: Path, dtype: str, progress: Progress
) -> None:
    """Write tensors as a checkpoint in shards, with the artifact's configuration and tokenizer.

    Args:
        artifact: Gives the names and the companion files.
        tensor: One dense tensor by its name in the checkpoint.
        directory: Where the files go; it exists.
        dtype: Of every tensor.
        progress: Told after every tensor.
    """
    names = sorted(ArtifactWeights(artifact).names())
    shard: dict[str, NDArray[Any]] = {}
    file_of: dict[str, str] = {}
    size = total = 0
    for done, name in enumerate(names, 1):
        shard[name] = to_numpy(tensor(name).to(TORCH_DTYPES[dtype]))
        size += shard[name].nbytes
        progress("export", done, len(names))
        if size >= _SHARD_BYTES or done == len(names):
            file = f"model-{len(set(file_of.values())) + 1:05d}.safetensors"
            write_tensors(directory / file, shard)
            file_of |= dict.fromkeys(shard, file)
            total, shard, size = total + size, {}, 0
    index = {"metadata": {"total_size": total}, "weight_map": file_of}
    write_json(directory / "model.safetensors.index.json", index)
    for file in artifact.files:
        shutil.copyfile(artifact.path / file, directory / file)
    config = read_json(directory / "config.json")
    config.pop("torch_dtype", None)
    write_json(directory / "config.json", config | {"dtype": _CONFIG_DTYPES[dtype]})
