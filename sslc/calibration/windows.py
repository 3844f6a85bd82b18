"""Which text calibrates, and the windows that it is cut into.

Text comes from one source or from several with shares. A source is a text by name or path, or
``self``: what the dense model writes (``generated.py``).
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sslc.calibration.generated import generated_windows
from sslc.model.checkpoint import Checkpoint
from sslc.model.config import tokenize
from sslc.model.positions import warn_beyond_positions
from workloads.support.errors import InputError
from workloads.support.progress import Progress, silent
from workloads.texts.windows import Text, load_text, random_windows

SELF = "self"
_MOST_TOKENS = 2**28  # of all windows together: more hidden states than memory holds
_SHARED = re.compile(r"(.+):([1-9]\d{0,5})")


@dataclass(frozen=True)
class Calibration:
    """Which text calibrates, and how it is cut.

    Attributes:
        source: ``embedded``, ``self``, a text of the hub, or a text file; or several with their
            shares of the windows, such as ``embedded:8,self:8``.
        windows: How many, of all sources together.
        window_tokens: Tokens in each.
        seed: Of the windows' positions, and of text that the model writes.
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

    @property
    def counts(self) -> dict[str, int]:
        """Windows of each source, in the order in which they are named.

        Every source gets the whole windows of its share; what is left goes to the largest rests,
        of equal ones to the first.
        """
        shares = _shares(self.source)
        total = sum(shares.values())
        counts = {name: self.windows * share // total for name, share in shares.items()}
        rests = sorted(shares, key=lambda name: -(self.windows * shares[name] % total))
        for name in rests[: self.windows - sum(counts.values())]:
            counts[name] += 1
        return {name: count for name, count in counts.items() if count}


@dataclass(frozen=True, eq=False)
class CalibrationText:
    """The text of a calibration, before it is cut.

    Attributes:
        source: What it is, for manifests and tables.
        sha256: Of the text; of several, of their hashes and counts; of generated text, of its
            tokens.
        parts: Windows of each source and its text, or the windows themselves where it is generated.
    """

    source: str
    sha256: str
    parts: tuple[tuple[int, Text | NDArray[np.int64]], ...]


def load_calibration(
    checkpoint: Checkpoint,
    calibration: Calibration,
    *,
    device: torch.device | None = None,
    progress: Progress = silent,
) -> CalibrationText:
    """The text of every source; what the model writes is written now unless it is in the cache.

    Args:
        checkpoint: The dense model.
        calibration: Sources and windows.
        device: Where the model writes; the CPU by default.
        progress: Told after every token that it writes.

    Raises:
        InputError: A text cannot be had.
    """
    parts: list[tuple[int, Text | NDArray[np.int64]]] = []
    named: list[tuple[str, str]] = []
    for source, count in calibration.counts.items():
        if source == SELF:
            tokens = generated_windows(
                checkpoint, count=count, length=calibration.window_tokens,
                seed=calibration.seed, device=device, progress=progress,
            )  # fmt: skip
            parts.append((count, tokens))
            named.append((SELF, hashlib.sha256(tokens.tobytes()).hexdigest()))
        else:
            text = load_text(source, "calibration")
            parts.append((count, text))
            named.append((text.source, text.sha256))
    if len(named) == 1:
        return CalibrationText(*named[0], tuple(parts))
    counts = [count for count, _ in parts]
    lines = [f"{count} {sha}\n" for count, (_, sha) in zip(counts, named, strict=True)]
    label = " + ".join(f"{count} {name}" for count, (name, _) in zip(counts, named, strict=True))
    return CalibrationText(label, hashlib.sha256("".join(lines).encode()).hexdigest(), tuple(parts))


def calibration_windows(
    checkpoint: Checkpoint, text: CalibrationText, *, calibration: Calibration
) -> torch.Tensor:
    """Token ids of the windows, shape (w, L), source by source.

    Raises:
        InputError: There is no usable tokenizer, or a text is shorter than a window.
    """
    warn_beyond_positions(checkpoint.directory, calibration.window_tokens)
    length, seed = calibration.window_tokens, calibration.seed
    windows = [
        random_windows(tokenize(checkpoint.directory, part.content), count, length, seed)
        if isinstance(part, Text)
        else part
        for count, part in text.parts
    ]
    return torch.from_numpy(np.concatenate(windows))


def _shares(source: str) -> dict[str, int]:
    """Sources and shares; a text without shares, or one that is a file, is the only source."""
    found = [_SHARED.fullmatch(part.strip()) for part in source.split(",")]
    matches = [match for match in found if match is not None]
    if not matches or Path(source).is_file():
        return {source: 1}
    if len(matches) < len(found):
        raise InputError(
            f"calibration {source!r}: give every source a share, such as embedded:8,self:8"
        )
    shares = {match[1].strip(): int(match[2]) for match in matches}
    if len(shares) < len(matches):
        raise InputError(f"calibration {source!r} names a source twice")
    return shares
