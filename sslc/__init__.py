"""How a model is compressed: calibration, scores, low-rank factors and the block loop (torch).

The face of the package. Importing it costs nothing: torch comes with the first function that is
asked for.

    artifact = sslc.compress("smollm2-135m", "runs/a", kept_fraction=0.5)
    result = sslc.evaluate(artifact, max_tokens=4096)
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sslc.evaluation.measuring import evaluate
    from sslc.operations import compress, export, load, recover
    from workloads.artifact.read import Artifact
    from workloads.support.errors import InputError

    __version__: str

__all__ = [
    "Artifact",
    "InputError",
    "__version__",
    "compress",
    "evaluate",
    "export",
    "load",
    "recover",
]
_HOMES = {
    "Artifact": "workloads.artifact.read",
    "InputError": "workloads.support.errors",
    "compress": "sslc.operations",
    "evaluate": "sslc.evaluation.measuring",
    "export": "sslc.operations",
    "load": "sslc.operations",
    "recover": "sslc.operations",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is asked for."""
    if name == "__version__":
        from workloads.results.identity import version

        return version()
    if name not in _HOMES:
        raise AttributeError(f"module 'sslc' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The face, for completion."""
    return sorted(__all__)
