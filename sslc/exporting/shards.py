"""A directory that appears whole or not at all, and a checkpoint in shards with its companions."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from sslc.model.companions import CONFIG, read_companions
from sslc.model.config import load_config
from sslc.model.families import filed_name
from sslc.model.finite import rounded
from sslc.model.names import EMBEDDING, HEAD, weight_name
from sslc.model.weights import ArtifactWeights, to_numpy
from workloads.artifact.read import Artifact
from workloads.support.errors import InputError
from workloads.support.files import read_json, write_atomic, write_json, write_tensors
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

    Only companion files of the fixed list go along, without foreign fields, and a head of its own
    is said to be one, so that every version of transformers loads the same model.

    Args:
        artifact: Gives the names and the companion files.
        tensor: One dense tensor by its name in the checkpoint.
        directory: Where the files go; it exists.
        dtype: Of every tensor.
        progress: Told after every tensor.

    Tensors are named as files of the model's family name them.

    Raises:
        InputError: A tensor is not finite, or not in that dtype.
    """
    names = sorted(ArtifactWeights(artifact).names())
    shard: dict[str, NDArray[Any]] = {}
    file_of: dict[str, str] = {}
    size = total = 0
    kind = load_config(artifact.path).model_type
    for done, name in enumerate(names, 1):
        dense = to_numpy(rounded(tensor(name), dtype, name=f"{artifact.path}: tensor {name}"))
        shard[filed_name(kind, name)] = dense
        size += dense.nbytes
        progress("export", done, len(names))
        if size >= _SHARD_BYTES or done == len(names):
            file = f"model-{len(set(file_of.values())) + 1:05d}.safetensors"
            write_tensors(directory / file, shard)
            file_of |= dict.fromkeys(shard, file)
            total, shard, size = total + size, {}, 0
    index = {"metadata": {"total_size": total}, "weight_map": file_of}
    write_json(directory / "model.safetensors.index.json", index)
    for file, content in read_companions(artifact.path, artifact.files).items():
        write_atomic(directory / file, content)
    config = read_json(directory / CONFIG)
    config.pop("torch_dtype", None)
    if _has_other_head(artifact):
        config["tie_word_embeddings"] = False
    write_json(directory / CONFIG, config | {"dtype": _CONFIG_DTYPES[dtype]})


def _has_other_head(artifact: Artifact) -> bool:
    """Whether the head is not the embedding, whatever the configuration says of tying."""
    weights, head = ArtifactWeights(artifact), weight_name(HEAD)
    if head not in weights.names():
        return False
    return not torch.equal(weights.tensor(head), weights.tensor(weight_name(EMBEDDING)))
