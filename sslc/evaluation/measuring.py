"""Perplexity or tasks of whatever a user names, as results with all that determines them."""

from collections.abc import Sequence
from pathlib import Path
from typing import overload

from sslc.evaluation.identity import perplexity_result, source_subject, zero_shot_result
from sslc.evaluation.perplexity import perplexity
from sslc.evaluation.zero_shot import ZeroShotSettings, zero_shot
from sslc.model.devices import find_device
from sslc.model.opening import open_source
from sslc.model.source import WeightSource
from sslc.model.weights import ArtifactWeights
from workloads.artifact.read import Artifact
from workloads.results.kinds import PerplexityResult, ZeroShotResult
from workloads.support.errors import InputError
from workloads.support.progress import Progress, silent
from workloads.texts.windows import EMBEDDED


@overload
def evaluate(
    model: str | Path | Artifact,
    *,
    text: str = "embedded",
    window_tokens: int = 512,
    stride: int | None = None,
    max_tokens: int = 16_384,
    tasks: None = None,
    device: str = "cpu",
    progress: Progress = silent,
) -> PerplexityResult: ...


@overload
def evaluate(
    model: str | Path | Artifact,
    *,
    tasks: Sequence[str],
    limit: int | None = None,
    shots: int | None = None,
    batch_size: int = 8,
    dtype: str = "F32",
    device: str = "cpu",
    progress: Progress = silent,
) -> tuple[ZeroShotResult, ...]: ...


def evaluate(
    model: str | Path | Artifact,
    *,
    text: str = "embedded",
    window_tokens: int = 512,
    stride: int | None = None,
    max_tokens: int = 16_384,
    tasks: Sequence[str] | None = None,
    limit: int | None = None,
    shots: int | None = None,
    batch_size: int = 8,
    dtype: str = "F32",
    device: str = "cpu",
    progress: Progress = silent,
) -> PerplexityResult | tuple[ZeroShotResult, ...]:
    """Perplexity on held-out text; or zero-shot tasks, when tasks are named.

    Args:
        model: An artifact, or any model that ``compress`` takes.
        text: ``embedded``, ``wikitext2``, ``c4``, or a text file.
        window_tokens: Tokens per window.
        stride: Tokens between window starts, only new tokens counting; None for no overlap.
        max_tokens: Use at most so many tokens; 0 uses all.
        tasks: Of lm-eval: names, task files (``.yaml``) or folders of them.
        limit: Questions per task at most; None asks all.
        shots: Examples before a question; None for the task's own number.
        batch_size: Sequences at once, in tasks.
        dtype: Of the model in tasks: ``F32``, ``BF16`` or ``F16``. Perplexity is always in F32.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        progress: Told after every block or batch.

    Returns:
        The perplexity, or one result per task, with all that determines them.

    Raises:
        InputError: The model, the text or a task cannot be used.
    """
    _check_together(tasks, text=text, stride=stride, limit=limit, shots=shots)
    target = find_device(device)
    source = _source(model, progress)
    if tasks is None:
        measured = perplexity(
            source,
            text,
            window_tokens=window_tokens,
            max_tokens=max_tokens,
            stride_tokens=stride,
            device=target,
            progress=progress,
        )
        return perplexity_result(source_subject(source), measured, device=target)
    how = ZeroShotSettings(limit, shots, batch_size, dtype)
    scores = zero_shot(
        source,
        (tasks,) if isinstance(tasks, str) else tuple(tasks),
        settings=how,
        device=target,
        progress=progress,
    )
    subject = source_subject(source)
    return tuple(zero_shot_result(subject, s, settings=how, device=target) for s in scores)


def _check_together(
    tasks: Sequence[str] | None,
    *,
    text: str,
    stride: int | None,
    limit: int | None,
    shots: int | None,
) -> None:
    """Refuse what would be passed over in silence."""
    if tasks is None and (limit, shots) != (None, None):
        raise InputError("limit and shots belong to tasks; name tasks, or leave them out")
    if tasks is not None and (text != EMBEDDED or stride is not None):
        raise InputError("text and stride belong to perplexity; evaluate a text or tasks, in turn")


def _source(model: str | Path | Artifact, progress: Progress) -> WeightSource:
    if isinstance(model, Artifact):
        return ArtifactWeights(model)
    return open_source(str(model), progress)
