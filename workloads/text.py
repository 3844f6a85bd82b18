"""Calibration and evaluation text: the embedded default and text files, cut into windows.

The embedded text is ``pydoc_data.topics``, the English reference prose that ships with Python.
Its topics, sorted by name, go in turn to calibration and to evaluation. Topics quote each other,
so evaluation drops every paragraph that also stands in the calibration half.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from workloads.errors import InputError

Part = Literal["calibration", "evaluation"]
EMBEDDED = "embedded"


@dataclass(frozen=True)
class Text:
    """A text and where it came from."""

    source: str
    content: str

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of the UTF-8 text."""
        return hashlib.sha256(self.content.encode()).hexdigest()


def load_text(source: str, part: Part) -> Text:
    """A text by name or path.

    Args:
        source: ``embedded``, or the path of a UTF-8 text file (used whole for either part).
        part: Which half of the embedded text.

    Raises:
        InputError: The file is missing, not UTF-8, or empty.
    """
    if source == EMBEDDED:
        return Text(f"{EMBEDDED}:{part}", _embedded(part))
    path = Path(source)
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"text {source}: {error}; give a UTF-8 file or {EMBEDDED!r}") from error
    if not content.strip():
        raise InputError(f"text {source}: the file is empty")
    return Text(path.name, content)


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


def consecutive_windows(
    tokens: NDArray[np.int64], length: int, most_tokens: int
) -> NDArray[np.int64]:
    """Non-overlapping windows from the start, as perplexity is computed in the field.

    Args:
        tokens: The tokenised text, shape (any,).
        length: Tokens per window.
        most_tokens: Use at most so many tokens, rounded down to whole windows.

    Returns:
        Shape (windows, length).

    Raises:
        InputError: Not one whole window fits.
    """
    usable = min(len(tokens), most_tokens)
    _check_length(tokens[:usable], length, length)
    return tokens[: usable // length * length].reshape(-1, length)


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
