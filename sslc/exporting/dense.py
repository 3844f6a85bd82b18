"""An artifact as a dense checkpoint that transformers loads without any code of ours."""

from pathlib import Path

from sslc.exporting.model_card import model_card, weight_bytes_of
from sslc.exporting.shards import atomically, write_checkpoint
from sslc.model.source import TORCH_DTYPES
from sslc.model.weights import ArtifactWeights
from workloads.artifact.read import Artifact
from workloads.support.errors import InputError
from workloads.support.files import write_atomic
from workloads.support.progress import Progress, silent


def export_dense(
    artifact: Artifact, target: Path, *, dtype: str = "F32", progress: Progress = silent
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
        write_checkpoint(
            artifact, weights.tensor, directory=partial, dtype=dtype, progress=progress
        )
        card = model_card(artifact, "dense", dtype=dtype, weight_bytes=weight_bytes_of(partial))
        write_atomic(partial / "README.md", card.encode())

    atomically(target, write)
