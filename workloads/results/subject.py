"""Which model a result is about, from an opened artifact: all that made it, and one hash."""

from collections.abc import Mapping
from typing import Any

from workloads.artifact.read import Artifact
from workloads.artifact.record import kept_share, stored_formats
from workloads.results.identity import Subject, digest

_CALIBRATION = ("source", "sha256", "windows", "window_tokens", "seed")


def subject_of(artifact: Artifact) -> Subject:
    """What results of an artifact are about; wherever it lies, the same content is the same.

    Args:
        artifact: Opened; its hashes are taken from its manifest.
    """
    settings = artifact.settings
    kept = float(settings.method["settings"].get("kept_fraction", 1.0))
    if settings.choice or settings.recovery:  # then the run's own fraction is not that of the whole
        kept = kept_share(artifact.blocks)
    content = {"files": dict(artifact.sha256), "settings": settings.to_json()}
    return Subject(
        model=settings.base_model["name"],
        method=settings.method_name,
        kept_fraction=kept,
        masks="real",
        sha256=digest(content),
        stored_dtype=stored_formats(artifact.blocks),
        settings=_settings(artifact),
    )


def _settings(artifact: Artifact) -> Mapping[str, Any]:
    """Method settings by name, then calibration, choice and trainings where there are any."""
    settings = artifact.settings
    calibration = {key: settings.calibration[key] for key in _CALIBRATION}
    others = {
        "calibration": calibration,
        "choice": dict(settings.choice),
        "recovery": dict(settings.recovery),
        "refinement": dict(settings.refinement),
    }
    return {
        **settings.method["settings"],
        **{name: value for name, value in others.items() if value},
    }
