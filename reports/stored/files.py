"""What the stages leave behind: ``DIR/results/*.json``, read back by ``sslc report``."""

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sslc.evaluation.perplexity import Perplexity
from sslc.model.adapter import AdaptedWeights
from sslc.model.source import WeightSource
from sslc.model.weights import ArtifactWeights
from workloads.artifact.read import Artifact, kept_share
from workloads.support.errors import InputError
from workloads.support.files import read_json, write_json
from workloads.texts.windows import EMBEDDED

KINDS = ("perplexity", "zero_shot", "cycles", "runtime")
DENSE = "dense"


@dataclass(frozen=True)
class Subject:
    """What a result is about.

    Attributes:
        model: Base model.
        method: Method name, or ``dense``.
        kept_fraction: Kept share of the projections' parameters.
        masks: ``real`` (an artifact's), ``none``, or how synthetic ones were made.
    """

    model: str
    method: str
    kept_fraction: float
    masks: str


def subject_of(artifact: Artifact) -> Subject:
    """What results of an artifact are about."""
    settings = artifact.settings
    kept = float(settings.method["settings"].get("kept_fraction", 1.0))
    if settings.choice or settings.recovery:  # then the run's own fraction is not that of the whole
        kept = kept_share(artifact.blocks)
    return Subject(settings.base_model["name"], settings.method_name, kept, "real")


def module_name(result: dict[str, Any], module: str) -> str:
    """A module as tables call it: MHA says the context where attention over one is part of it."""
    context = result.get("context")
    return module if module != "MHA" or not context else f"MHA, context {context:,}"


def perplexity_result(subject: Subject, result: Perplexity) -> dict[str, Any]:
    """A perplexity with its subject, for the file."""
    return {"kind": "perplexity", "subject": asdict(subject), **asdict(result)}


def subject_of_source(source: WeightSource, name: str) -> Subject:
    """What results of any model are about; for an adapter's base, what of it is kept is unknown.

    Args:
        source: From ``open_source``.
        name: What the user called it.
    """
    if isinstance(source, ArtifactWeights):
        return subject_of(source.artifact)
    method = "base + adapter" if isinstance(source, AdaptedWeights) else DENSE
    return Subject(name, method, 1.0, "none")


def file_name(result: dict[str, Any], beside: bool) -> str:
    """Name of a perplexity's or a task's file, without suffix: one per text and per task.

    Args:
        result: From ``perplexity_result`` or ``zero_shot_result``.
        beside: Whether it is another model's than the artifact's that it is saved with.
    """
    parts = [str(result["kind"]).replace("_", "-"), *(["dense"] if beside else [])]
    about = result["task"] if "task" in result else result["text"]
    if about.partition(":")[0] != EMBEDDED:
        parts.append(re.sub(r"[^\w.]+", "-", about).strip("-"))
    return "-".join(parts)


def save_result(directory: Path, name: str, result: dict[str, Any]) -> Path:
    """Write one stage's result under a directory's ``results``; returns the path."""
    folder = directory / "results"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    write_json(path, result)
    return path


def load_results(directory: Path) -> list[dict[str, Any]]:
    """Every result under a directory, in name order.

    Raises:
        InputError: There is none, or a file is not a result.
    """
    paths = sorted((directory / "results").glob("*.json"))
    if not paths:
        raise InputError(
            f"{directory}: no results yet; run sslc evaluate, simulate or measure on it first"
        )
    results = []
    for path in paths:
        result = read_json(path)
        if not isinstance(result, dict) or result.get("kind") not in KINDS:
            raise InputError(f"{path}: not a result (kind must be one of {', '.join(KINDS)})")
        try:
            Subject(**result["subject"])
        except (KeyError, TypeError) as error:
            raise InputError(f"{path}: subject is not whole ({error})") from error
        results.append(result)
    return results
