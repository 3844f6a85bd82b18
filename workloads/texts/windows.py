"""Calibration and evaluation text, by name or from files, cut into windows.

The embedded text is ``pydoc_data.topics``, the English reference prose that ships with Python.
Its topics, sorted by name, go in turn to calibration and to evaluation. Topics quote each other,
so evaluation drops every paragraph that also stands in the calibration half.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workloads.support.errors import InputError
from workloads.support.reading import read_text
from workloads.texts.hub import HUB_TEXTS, Part, read_hub_text

EMBEDDED = "embedded"
NAMES = (EMBEDDED, *HUB_TEXTS)
HALVES = "halves:"
"""Before a file's path: its first half calibrates, its second is evaluated."""


@dataclass(frozen=True)
class Text:
    """A text and where it came from."""

    source: str
    content: str

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of the UTF-8 text."""
        return hashlib.sha256(self.content.encode()).hexdigest()


@dataclass(frozen=True)
class ScoredWindows:
    """Windows and which of their tokens count.

    Attributes:
        tokens: Token ids, shape (windows, length).
        counted: True where the prediction of a token counts, same shape; never in the first column.
    """

    tokens: NDArray[np.int64]
    counted: NDArray[np.bool_]


def load_text(source: str, part: Part) -> Text:
    """A text by name or path.

    Args:
        source: ``embedded``, a name in ``hub_texts.HUB_TEXTS``, or the path of a UTF-8 text file,
            used whole for either part, or cut in two with ``halves:`` before it.
        part: Which part of a text with a name, or which half.

    Raises:
        InputError: The file is missing, not UTF-8, or empty; or the hub cannot be reached.
    """
    if source == EMBEDDED:
        return Text(f"{EMBEDDED}:{part}", _embedded(part))
    if source in HUB_TEXTS:
        return Text(f"{source}:{HUB_TEXTS[source][part].split}", read_hub_text(source, part))
    path = Path(source.removeprefix(HALVES))
    try:
        content = read_text(path)
    except InputError as error:
        raise InputError(
            f"text {source}: {error}; give a UTF-8 file or one of {', '.join(NAMES)}"
        ) from error
    if not content.strip():
        raise InputError(f"text {source}: the file is empty")
    if source.startswith(HALVES):
        return Text(f"{path.name}:{part}", _half(content, part))
    return Text(path.name, content)


def _half(content: str, part: Part) -> str:
    """The text before or after the line break nearest behind its middle."""
    middle = content.find("\n", len(content) // 2) + 1 or len(content) // 2
    return content[:middle] if part == "calibration" else content[middle:]


def random_windows(
    tokens: NDArray[np.int64], count: int, length: int, seed: int
) -> NDArray[np.int64]:
    """Windows at random places, as the calibration of SparseGPT and Wanda draws them.

    Args:
        tokens: The tokenised text, shape (any,).
        count: Windows.
        length: Tokens per window.
        seed: Of the places.

    Returns:
        Shape (count, length).

    Raises:
        InputError: The text is shorter than one window.
    """
    _check_length(tokens, length, length)
    starts = np.random.default_rng(seed).integers(0, len(tokens) - length + 1, size=count)
    return np.stack([tokens[start : start + length] for start in starts])


def scored_windows(
    tokens: NDArray[np.int64], length: int, stride: int, max_tokens: int
) -> ScoredWindows:
    """Windows from the start of a text in which every token is counted at most once.

    With ``stride`` = ``length`` they do not overlap, each is scored on its own, and what is left
    after the last whole window is dropped. With a smaller stride each window starts so many tokens
    after the one before it and only its new tokens are counted; the last one ends with the text
    and is filled up behind its end, where a causal model does not look.

    Args:
        tokens: The tokenised text, shape (any,).
        length: Tokens per window.
        stride: Tokens from one window's start to the next, 1 to ``length``.
        max_tokens: Use at most so many tokens; 0 uses all.

    Raises:
        InputError: Not one whole window fits, or the stride is out of range.

    Source: without overlap the evaluation loop of GPTQ, SparseGPT and Wanda; with overlap the
    guide "Perplexity of fixed-length models" of transformers.
    """
    if length < 2:
        raise InputError(f"a window needs at least 2 tokens, got {length}")
    if not 1 <= stride <= length:
        raise InputError(f"the stride must be 1 to the window's {length} tokens, got {stride}")
    usable = tokens[:max_tokens] if max_tokens else tokens
    _check_length(usable, length, length)
    beyond = len(usable) - length
    steps = beyond // stride if stride == length else -(-beyond // stride)
    filled = steps * stride + length
    usable = np.pad(usable[:filled], (0, max(0, filled - len(usable))), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(usable, length)[::stride].copy()
    counted = np.ones(windows.shape, dtype=bool)
    counted[0, 0] = False
    counted[1:, : max(1, length - stride)] = False
    if filled > beyond + length:
        counted[-1, beyond + length - filled :] = False
    return ScoredWindows(windows, counted)


def _check_length(tokens: NDArray[np.int64], length: int, needed: int) -> None:
    if length < 2:
        raise InputError(f"a window needs at least 2 tokens, got {length}")
    if len(tokens) < needed:
        raise InputError(
            f"the text has {len(tokens)} tokens, a window of {length} needs {needed}; "
            "give more text or shorter windows"
        )


def _embedded(part: Part) -> str:
    from pydoc_data.topics import topics

    calibration, evaluation = (
        "\n\n".join(topics[name] for name in sorted(topics)[start::2]) for start in (0, 1)
    )
    if part == "calibration":
        return calibration
    seen = {paragraph.strip() for paragraph in calibration.split("\n\n")}
    fresh = (text for text in evaluation.split("\n\n") if text.strip() not in seen)
    return "\n\n".join(fresh)
