"""How a model is compressed: calibration, scores, low-rank factors and the block loop (torch).

``sslc.load(artifact)`` gives a working transformers model.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    """Give ``sslc.load`` without importing torch before it is asked for."""
    if name == "load":
        from sslc.model.loading import load

        return load
    raise AttributeError(f"module 'sslc' has no attribute {name!r}")
