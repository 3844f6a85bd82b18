"""What determines a measurement: the model that it is about, and results with all of it."""

import hashlib
import math
from importlib import metadata

import torch

from sslc.evaluation.perplexity import Perplexity
from sslc.evaluation.zero_shot import TaskScore, ZeroShotSettings
from sslc.model.adapter import CONFIG, TENSORS, AdaptedWeights
from sslc.model.checkpoint import Checkpoint
from sslc.model.devices import device_name
from sslc.model.source import WeightSource
from sslc.model.weights import ArtifactWeights
from workloads.results.identity import DENSE, Provenance, Subject, provenance
from workloads.results.kinds import (
    PerplexityIdentity,
    PerplexityResult,
    TextIdentity,
    ZeroShotIdentity,
    ZeroShotResult,
)
from workloads.results.subject import subject_of
from workloads.support.errors import InputError
from workloads.support.files import sha256_file

ADAPTED = "base + adapter"
"""The method of a base with its adapter: what of it was kept is not known."""
_ARITHMETIC = "F32"


def source_subject(source: WeightSource) -> Subject:
    """What results of a model are about.

    Args:
        source: An artifact; a dense checkpoint, whose weights are hashed; or a base with its
            adapter, which is hashed with it.

    Raises:
        TypeError: It is another kind of source, whose content cannot be identified.
    """
    if isinstance(source, ArtifactWeights):
        return subject_of(source.artifact)
    if isinstance(source, AdaptedWeights):
        parts = [source.base.sha256()]
        parts += [sha256_file(source.adapter / file) for file in (CONFIG, TENSORS)]
        whole = hashlib.sha256(" ".join(parts).encode()).hexdigest()
        return _whole(source.base, ADAPTED, whole)
    if isinstance(source, Checkpoint):
        return _whole(source, DENSE, source.sha256())
    raise TypeError(f"{type(source).__name__} is not a source whose content can be hashed")


def perplexity_result(
    subject: Subject, measured: Perplexity, *, device: torch.device
) -> PerplexityResult:
    """A perplexity with all that determines it.

    Args:
        subject: The model.
        measured: The number, its text and windows.
        device: Where it was computed.

    Raises:
        InputError: It is not a finite number, which no table could compare.
    """
    if not math.isfinite(measured.perplexity):
        raise InputError(
            f"{subject.model}: no perplexity, the mean negative log-likelihood is "
            f"{measured.negative_log_likelihood:g} nats; weights or activations are out of range"
        )
    text = TextIdentity(
        source=measured.text,
        sha256=measured.text_sha256,
        window_tokens=measured.window_tokens,
        stride_tokens=measured.stride_tokens,
        max_tokens=measured.max_tokens,
    )
    return PerplexityResult(
        identity=PerplexityIdentity(subject, text, _ARITHMETIC, device.type),
        provenance=_here(device),
        perplexity=measured.perplexity,
        predicted_tokens=measured.predicted_tokens,
    )


def zero_shot_result(
    subject: Subject, score: TaskScore, *, settings: ZeroShotSettings, device: torch.device
) -> ZeroShotResult:
    """A task's scores with all that determines them.

    Args:
        subject: The model.
        score: Of one task.
        settings: How it was run.
        device: Where it was run.
    """
    identity = ZeroShotIdentity(
        subject=subject,
        task=score.task,
        task_version=score.version,
        shots=score.shots,
        limit=settings.limit,
        dtype=settings.dtype,
        device=device.type,
        harness=f"lm-eval {metadata.version('lm-eval')}",
    )
    return ZeroShotResult(
        identity, _here(device), score.metrics, score.documents, score.of_documents
    )


def _whole(checkpoint: Checkpoint, method: str, sha256: str) -> Subject:
    dtype = checkpoint.projection_dtype
    return Subject(checkpoint.name, method, 1.0, "none", sha256, dtype)


def _here(device: torch.device) -> Provenance:
    threads = 1 if device.type == "cuda" else torch.get_num_threads()
    return provenance(device=device_name(device), threads=threads)
