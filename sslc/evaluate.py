"""Perplexity, computed block by block so that any model fits."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from sslc.blocks import BlockwiseModel
from sslc.checkpoint import WeightSource, tokenize
from workloads.progress import Progress, silent
from workloads.text import Text, consecutive_windows, load_text


@dataclass(frozen=True)
class Perplexity:
    """A perplexity and what it was measured on.

    Attributes:
        perplexity: exp of the mean negative log likelihood per predicted token.
        negative_log_likelihood: That mean, in nats.
        predicted_tokens: Windows × (window length − 1).
        windows: Non-overlapping windows.
        window_tokens: Tokens in each.
        text: Source of the text.
        text_sha256: Its hash.
    """

    perplexity: float
    negative_log_likelihood: float
    predicted_tokens: int
    windows: int
    window_tokens: int
    text: str
    text_sha256: str


def evaluation_windows(
    source: WeightSource, text: Text, window_tokens: int, most_tokens: int
) -> NDArray[np.int64]:
    """Token ids of the evaluation windows, shape (windows, window_tokens).

    Raises:
        InputError: The text is shorter than one window.
    """
    tokens = tokenize(source.directory, text.content)
    return consecutive_windows(tokens, window_tokens, most_tokens)


def perplexity(
    source: WeightSource,
    text_source: str = "embedded",
    window_tokens: int = 512,
    most_tokens: int = 16_384,
    device: torch.device | None = None,
    progress: Progress = silent,
    label: str = "evaluate",
) -> Perplexity:
    """Perplexity over non-overlapping windows.

    Args:
        source: A checkpoint or an artifact.
        text_source: ``embedded`` (its evaluation half) or a text file.
        window_tokens: Tokens per window; each window is scored on its own.
        most_tokens: Use at most so many tokens.
        device: Where the arithmetic runs.
        progress: Told after every block.
        label: The stage's name in the progress.

    Raises:
        InputError: The text or the model cannot be used.

    Source: the evaluation loop common to GPTQ, SparseGPT and Wanda: contiguous windows without
    overlap, the mean loss of each window weighing the same.
    """
    text = load_text(text_source, "evaluation")
    windows = torch.from_numpy(evaluation_windows(source, text, window_tokens, most_tokens))
    model = BlockwiseModel(source, device)
    hidden = model.embed(windows)
    for index in range(model.blocks):
        progress(label, index, model.blocks + 1)
        with model.block(index) as block:
            model.run(index, block, hidden)
    progress(label, model.blocks, model.blocks + 1)
    mean = float(model.negative_log_likelihoods(hidden, windows).mean())
    progress(label, model.blocks + 1, model.blocks + 1)
    value = math.exp(mean) if mean < 700 else math.inf
    count, length = windows.shape
    return Perplexity(value, mean, count * (length - 1), count, length, text.source, text.sha256)
