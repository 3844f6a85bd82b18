"""How far a model's positions reach; beyond it results mean little, and a remark says so."""

import warnings
from pathlib import Path

from sslc.model.config import load_config
from workloads.support.errors import InputWarning


def warn_beyond_positions(directory: Path, window_tokens: int) -> None:
    """Remark on windows that are longer than the model was made for.

    Args:
        directory: Of its configuration.
        window_tokens: Of a window.
    """
    reach = getattr(load_config(directory), "max_position_embeddings", None)
    if reach is not None and window_tokens > reach:
        warnings.warn(
            f"{directory}: windows of {window_tokens} tokens go beyond its max_position_embeddings "
            f"{reach}; the model was not made for such positions",
            InputWarning,
            stacklevel=2,
        )
