"""Recovery: U and V fine-tuned with S frozen, and the same for LoRA on a sparse baseline.

An artifact goes in and an artifact comes out: masks, values of S, biases and everything outside
the projections keep their bytes. The training itself is in ``fine_tuning.py``.
"""

import dataclasses
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sslc.compression.output import Output, finished_artifact, one_run
from sslc.compression.rounding import rounded_factors
from sslc.model.adapter import factor_names
from sslc.model.checkpoint import Checkpoint
from sslc.model.companions import read_companions
from sslc.model.config import load_config
from sslc.model.loading import load_whole
from sslc.model.names import full_name
from sslc.model.opening import open_checkpoint
from sslc.model.positions import warn_beyond_positions
from sslc.model.weights import to_numpy, to_torch
from sslc.recovery.data import TrainingData, load_training_data
from sslc.recovery.settings import Training
from workloads.artifact.read import MANIFEST, Artifact, Settings, open_artifact
from workloads.artifact.record import CompressedTensors, ProjectionRecord, read_projection
from workloads.artifact.write import ArtifactWriter, start_artifact
from workloads.shapes.gemm import largest_rank
from workloads.support.errors import InputError
from workloads.support.extras import missing
from workloads.support.files import LazyTensors, TensorFile, open_tensors, sha256_file
from workloads.support.progress import Progress, silent
from workloads.support.working import check_working, is_working, mark, remove_working, resolved


@one_run
def recover_artifact(
    artifact: Artifact,
    training: Training,
    *,
    output: Output,
    device: torch.device | None = None,
    progress: Progress = silent,
) -> Artifact:
    """Fine-tune an artifact's U and V, or LoRA factors where it has none; S stays as it is.

    Args:
        artifact: What to recover. Projections of rank 0 stay frozen where others have factors, as
            do those that were left dense.
        training: Data and settings.
        output: Where the recovered artifact goes; its dtype is the artifact's. The library's
            checkpoints lie beside it in ``DIR.training`` until it is finished.
        device: Where the arithmetic runs; the CPU by default.
        progress: Told after every step.

    Returns:
        The recovered artifact, opened.

    Raises:
        InputError: The artifact is recovered already or has nothing to train, the data cannot be
            used, the training diverged, PEFT is missing, or a directory may not be touched. A run
            that was interrupted stays resumable.

    Source: SSLC Eq. 9 for U and V. LoRA of equal size on sparse baselines is our control; the
    paper says only that LoRA adds parameters.
    """
    _check(artifact, output)
    teacher = None if training.teacher is None else open_teacher(artifact, training.teacher)
    ranks = trained_ranks(artifact, training.rank_share)
    warn_beyond_positions(artifact.path, training.window_tokens)
    data = load_training_data(training.data, artifact.path, window_tokens=training.window_tokens)
    settings = _settings(artifact, training, data, ranks, teacher)
    directory = resolved(output.directory)
    work = directory.with_name(f"{directory.name}.training")
    if output.resume:
        finished = finished_artifact(output, settings)
        if finished is not None:
            if is_working(work):
                remove_working(work)
            return finished
    if importlib.util.find_spec("peft") is None:  # before there is a directory of work
        raise missing("recovery needs", "PEFT", "recover")
    writer = _start(output, settings, work)
    factors, loss = _train(artifact, ranks, training, data, (work, device, progress), teacher)
    for index in range(len(writer.blocks), len(artifact.blocks)):
        _write_block(artifact, index, writer, ranks, factors)
    rest = artifact.read_rest()
    companions = read_companions(artifact.path, artifact.files)
    writer.finish(LazyTensors(dict.fromkeys(rest.tensors, rest)), companions, loss)
    remove_working(work)
    return open_artifact(output.directory)


def open_teacher(artifact: Artifact, name: str) -> Checkpoint:
    """The dense model that a recovery learns from.

    Args:
        artifact: What is recovered.
        name: Of the model, as ``open_checkpoint`` takes it.

    Raises:
        InputError: It cannot be opened, or has other tokens.
    """
    teacher = open_checkpoint(name)
    sizes = [load_config(each).vocab_size for each in (artifact.path, teacher.directory)]
    if sizes[0] != sizes[1]:
        raise InputError(
            f"{name}: a teacher of {sizes[1]} tokens, {artifact.path} has {sizes[0]}; "
            "give the dense model that it was made from"
        )
    return teacher


def trained_ranks(artifact: Artifact, rank_share: float) -> dict[str, int]:
    """Rank of every projection that is trained, by its full name.

    Args:
        artifact: With factors, which are then trained; or without, and then every projection that
            was not left dense gets factors.
        rank_share: Share of the parameters that fresh factors may take.

    Raises:
        InputError: Nothing is left to train, or a projection with its factors would be larger
            than it was dense.
    """
    records = [
        (full_name(index, record.name), record)
        for index, block in enumerate(artifact.blocks)
        for record in block.projections
    ]
    ranks = {name: record.rank for name, record in records}
    if not any(ranks.values()):
        for name, record in records:
            size = record.m * record.n
            rank = largest_rank(record.m, record.n, rank_share) if record.nonzeros < size else 0
            if record.nonzeros + rank * (record.m + record.n) > size:
                raise InputError(
                    f"{artifact.path}: {name} with factors of rank {rank} would be larger than "
                    "dense; give a smaller --rank-share"
                )
            ranks[name] = rank
    trained = {name: rank for name, rank in ranks.items() if rank}
    if not trained:
        raise InputError(
            f"{artifact.path}: nothing to train: no projection is sparse with a rank of at least 1 "
            f"at a rank share of {rank_share}"
        )
    return trained


def _check(artifact: Artifact, output: Output) -> None:
    if artifact.settings.recovery:
        raise InputError(
            f"{artifact.path} is recovered already; give the artifact that it was made from, "
            "with more --steps to train longer"
        )
    if output.directory.resolve() == artifact.path.resolve():
        raise InputError(f"{output.directory} is the artifact itself; choose another directory")
    if output.dtype not in ("auto", artifact.settings.dtype):
        raise InputError(f"{artifact.path} is stored in {artifact.settings.dtype}, which stays")


def _settings(
    artifact: Artifact,
    training: Training,
    data: TrainingData,
    ranks: Mapping[str, int],
    teacher: Checkpoint | None,
) -> Settings:
    sizes = {
        full_name(index, record.name): record.m + record.n
        for index, block in enumerate(artifact.blocks)
        for record in block.projections
    }
    lora = not any(record.rank for block in artifact.blocks for record in block.projections)
    recovery: dict[str, Any] = dataclasses.asdict(training) | {
        "source": data.source,
        "sha256": data.sha256,
        "examples": len(data.examples),
        "trained": "lora" if lora else "factors",
        "trained_parameters": sum(rank * sizes[name] for name, rank in ranks.items()),
        "artifact_sha256": sha256_file(artifact.path / MANIFEST),
    }
    for name in ("data",) if lora else ("data", "rank_share"):
        del recovery[name]
    del recovery["teacher"]
    if teacher is not None:
        recovery |= {"teacher": teacher.name, "teacher_sha256": teacher.sha256()}
    return dataclasses.replace(artifact.settings, recovery=recovery)


def _start(output: Output, settings: Settings, work: Path) -> ArtifactWriter:
    """The artifact's writer; checkpoints stay only where the same run goes on."""
    check_working(work)
    if work.exists() and not (output.resume or output.overwrite):
        raise InputError(
            f"{work} holds an interrupted run; --resume continues it, --overwrite starts again"
        )
    partial = ArtifactWriter(output.directory, settings, []).partial
    continued = output.resume and partial.exists()
    writer = start_artifact(
        output.directory, settings, resume=output.resume, overwrite=output.overwrite
    )
    if not continued:
        remove_working(work)
    mark(work)
    return writer


def _train(
    artifact: Artifact,
    ranks: Mapping[str, int],
    training: Training,
    data: TrainingData,
    where: tuple[Path, torch.device | None, Progress],
    teacher: Checkpoint | None,
) -> tuple[TensorFile, dict[str, float]]:
    """The trained factors and the loss, from the last checkpoint; trains up to it first."""
    from sslc.recovery import fine_tuning

    directory, device, progress = where
    factors = fine_tuning.trained_factors(directory, training.steps)
    if factors is None:
        model = fine_tuning.adapted_model(artifact, ranks, seed=training.seed)
        target = device or torch.device("cpu")
        fine_tuning.fine_tune(
            model,
            data.examples,
            training=training,
            directory=directory,
            device=target,
            progress=progress,
            teacher=None if teacher is None else load_whole(teacher),
        )
        factors = fine_tuning.trained_factors(directory, training.steps)
        assert factors is not None
    return factors, fine_tuning.training_loss(directory, training.steps)


def _write_block(
    artifact: Artifact,
    index: int,
    writer: ArtifactWriter,
    ranks: Mapping[str, int],
    factors: TensorFile,
) -> None:
    records, tensors = [], {}
    for record in artifact.blocks[index].projections:
        stored = artifact.read(index, record.name)
        if full_name(index, record.name) in ranks:
            names = factor_names(full_name(index, record.name))
            record, stored = _trained(record, stored, factors, names)
        records.append(record)
        tensors[record.name] = stored
    writer.write_block(tuple(records), tensors)
    _verify(artifact, index, writer)


def _trained(
    record: ProjectionRecord,
    stored: CompressedTensors,
    factors: TensorFile,
    names: tuple[str, str],
) -> tuple[ProjectionRecord, CompressedTensors]:
    """A projection with its trained U and V, rounded to the format in which they are stored."""
    a, b = (to_torch(factors.read(name)).float() for name in names)
    trained = rounded_factors(b, a.T, record.storage)
    if not (torch.isfinite(trained.u.float()).all() and torch.isfinite(trained.v.float()).all()):
        raise InputError(
            f"{factors.path}: {names[0]} and its partner are not finite in "
            f"{record.storage.factors}; give a smaller --learning-rate"
        )
    scales = {name: to_numpy(scale) for name, scale in trained.scales.items()}
    fresh, rank = not record.rank, len(a)
    kept = (record.nonzeros + rank * (record.m + record.n)) / (record.m * record.n)
    return (
        dataclasses.replace(
            record,
            rank=rank,
            kept_fraction=kept if fresh else record.kept_fraction,
            scaled_error=None,
        ),
        dataclasses.replace(
            stored,
            u=to_numpy(trained.u),
            v=to_numpy(trained.v),
            scales={**stored.scales, **scales},
        ),
    )


def _verify(artifact: Artifact, index: int, writer: ArtifactWriter) -> None:
    """Compare a block's masks and values, as they were written, with those of the source."""
    block = writer.blocks[index]
    file = open_tensors(writer.partial / block.file, block.tensors)
    for record in block.projections:
        before, after = artifact.read(index, record.name), read_projection(file, record)
        same = np.array_equal(before.mask.bits, after.mask.bits)
        if not same or before.values.tobytes() != after.values.tobytes():
            raise RuntimeError(f"{file.path}: S of {record.name} is not what it was")
