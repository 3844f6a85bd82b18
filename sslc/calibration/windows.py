"""Which text calibrates, and the windows that it is cut into."""

from dataclasses import dataclass

import torch

from sslc.model.checkpoint import Checkpoint
from sslc.model.config import tokenize
from sslc.model.positions import warn_beyond_positions
from workloads.support.errors import InputError
from workloads.texts.windows import Text, random_windows

_MOST_TOKENS = 2**28  # of all windows together: more hidden states than memory holds


@dataclass(frozen=True)
class Calibration:
    """Which text calibrates, and how it is cut.

    Attributes:
        source: ``embedded`` or a text file.
        windows: How many.
        window_tokens: Tokens in each.
        seed: Of the windows' positions.
    """

    source: str = "embedded"
    windows: int = 16
    window_tokens: int = 512
    seed: int = 0

    def __post_init__(self) -> None:
        if self.windows < 1 or self.window_tokens < 2 or self.seed < 0:
            raise InputError(
                "calibration needs at least 1 window of at least 2 tokens and a seed of at least "
                f"0, got {self.windows}, {self.window_tokens} and {self.seed}"
            )
        if self.windows * self.window_tokens > _MOST_TOKENS:
            raise InputError(
                f"calibration takes up to {_MOST_TOKENS} tokens, got {self.windows} windows of "
                f"{self.window_tokens}; fewer or shorter windows would do"
            )


def calibration_windows(
    checkpoint: Checkpoint, text: Text, *, calibration: Calibration
) -> torch.Tensor:
    """Token ids of the windows, shape (w, L).

    Raises:
        InputError: There is no usable tokenizer, or the text is shorter than a window.
    """
    warn_beyond_positions(checkpoint.directory, calibration.window_tokens)
    tokens = tokenize(checkpoint.directory, text.content)
    windows, length = calibration.windows, calibration.window_tokens
    return torch.from_numpy(random_windows(tokens, windows, length, calibration.seed))
