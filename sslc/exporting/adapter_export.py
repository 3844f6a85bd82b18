"""An artifact as a sparse base with its factors as a LoRA adapter, which PEFT loads as it is."""

from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from sslc.exporting.model_card import model_card, weight_bytes_of
from sslc.exporting.shards import atomically, write_checkpoint
from sslc.model.adapter import CONFIG, FOLDER, TENSORS, factor_names, lora_settings
from sslc.model.names import full_name, weight_name
from sslc.model.weights import ArtifactWeights, sparse_part, to_numpy, to_torch
from workloads.artifact.read import Artifact
from workloads.artifact.record import ProjectionRecord
from workloads.support.errors import InputError
from workloads.support.files import write_atomic, write_json, write_tensors
from workloads.support.progress import Progress, silent


def export_adapter(artifact: Artifact, target: Path, *, progress: Progress = silent) -> None:
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
    if artifact.experts:
        raise InputError(
            f"{artifact.path}: has experts, which transformers and PEFT hold in one tensor, "
            "so that no adapter fits one of them; export it dense"
        )
    weights, records = ArtifactWeights(artifact), _records(artifact)
    if not any(record.rank for _, record in records.values()):
        raise InputError(f"{artifact.path}: no projection has a low-rank part to adapt")
    compressed = {weight_name(name): entry for name, entry in records.items()}

    def base(name: str) -> torch.Tensor:
        if name in compressed:
            index, record = compressed[name]
            return sparse_part(artifact.read(index, record.name))
        return weights.tensor(name)

    def write(partial: Path) -> None:
        dtype = artifact.settings.dtype
        write_checkpoint(artifact, base, directory=partial, dtype=dtype, progress=progress)
        _write_adapter(artifact, partial / FOLDER, target)
        size = weight_bytes_of(partial) + weight_bytes_of(partial / FOLDER)
        for folder, library in ((partial, "transformers"), (partial / FOLDER, "peft")):
            card = model_card(artifact, "adapter", dtype=dtype, weight_bytes=size, library=library)
            write_atomic(folder / "README.md", card.encode())

    atomically(target, write)


def _records(artifact: Artifact) -> dict[str, tuple[int, ProjectionRecord]]:
    """Block and record of every compressed projection, by its full name."""
    return {
        full_name(index, record.name): (index, record)
        for index, block in enumerate(artifact.blocks)
        for record in block.projections
    }


def _write_adapter(artifact: Artifact, directory: Path, base: Path) -> None:
    directory.mkdir()
    tensors: dict[str, NDArray[Any]] = {}
    ranks: dict[str, int] = {}
    for name, (index, record) in _records(artifact).items():
        if record.rank:
            stored, ranks[name] = artifact.read(index, record.name), record.rank
            a, b = factor_names(name)
            tensors |= {a: to_numpy(to_torch(stored.v).T), b: stored.u}
    write_tensors(directory / TENSORS, tensors)
    config = {
        "peft_type": "LORA",
        "base_model_name_or_path": str(base),
        "inference_mode": True,
        **lora_settings(ranks),
    }
    write_json(directory / CONFIG, config)
