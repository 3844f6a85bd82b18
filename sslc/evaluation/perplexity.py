"""Perplexity, computed block by block so that any model fits."""

import math
from dataclasses import dataclass

import torch

from sslc.model.blocks import BlockwiseModel
from sslc.model.config import tokenize
from sslc.model.finite import not_finite
from sslc.model.positions import warn_beyond_positions
from sslc.model.source import WeightSource
from workloads.support.errors import InputError
from workloads.support.progress import Progress, silent
from workloads.texts.windows import ScoredWindows, Text, load_text, scored_windows

_LARGEST_MEAN = 700  # nats: the exponential is still a double


@dataclass(frozen=True)
class Perplexity:
    """A perplexity and what it was measured on.

    Attributes:
        perplexity: exp of the mean negative log likelihood per predicted token.
        negative_log_likelihood: That mean, in nats.
        predicted_tokens: Tokens whose prediction was counted.
        windows: Windows that the text was cut into.
        window_tokens: Tokens in each.
        stride_tokens: From one window's start to the next; ``window_tokens`` without overlap.
        max_tokens: The most that were asked for; 0 for all.
        text: Source of the text.
        text_sha256: Its hash.
    """

    perplexity: float
    negative_log_likelihood: float
    predicted_tokens: int
    windows: int
    window_tokens: int
    stride_tokens: int
    max_tokens: int
    text: str
    text_sha256: str


def evaluation_windows(
    source: WeightSource, text: Text, *, window_tokens: int, stride_tokens: int, max_tokens: int
) -> ScoredWindows:
    """A text's windows, tokenised whole and with the tokenizer's own special tokens.

    Raises:
        InputError: The text is shorter than one window, or the stride is out of range.

    Source: GPTQ, SparseGPT and Wanda call the tokenizer so; Llama's puts its first token before
    the text, others add nothing.
    """
    tokens = tokenize(source.directory, text.content, special=True)
    return scored_windows(tokens, window_tokens, stride_tokens, max_tokens)


def perplexity(
    source: WeightSource,
    text_source: str = "embedded",
    *,
    window_tokens: int = 512,
    max_tokens: int = 16_384,
    device: torch.device | None = None,
    progress: Progress = silent,
    label: str = "evaluate",
    stride_tokens: int | None = None,
) -> Perplexity:
    """Perplexity over a text's windows.

    Args:
        source: A checkpoint or an artifact.
        text_source: A name (its evaluation part) or a text file.
        window_tokens: Tokens per window; a token sees those before it in its window.
        max_tokens: Use at most so many tokens; 0 uses all.
        device: Where the arithmetic runs.
        progress: Told after every block.
        label: The stage's name in the progress.
        stride_tokens: From one window's start to the next; None for windows that do not overlap.

    Raises:
        InputError: The text or the model cannot be used, or the outputs are not finite.

    Source: without overlap the evaluation loop common to GPTQ, SparseGPT and Wanda; with overlap
    the guide of transformers, every token weighing the same.
    """
    text = load_text(text_source, "evaluation")
    stride = window_tokens if stride_tokens is None else stride_tokens
    cut = evaluation_windows(
        source, text, window_tokens=window_tokens, stride_tokens=stride, max_tokens=max_tokens
    )
    warn_beyond_positions(source.directory, window_tokens)
    windows = torch.from_numpy(cut.tokens)
    model = BlockwiseModel(source, device)
    hidden = model.embed(windows)
    for index in range(model.blocks):
        progress(label, index, model.blocks + 1)
        with model.block(index) as block:
            model.run(index, block, hidden)
    progress(label, model.blocks, model.blocks + 1)
    losses = model.negative_log_likelihoods(hidden, windows)
    counted = losses[torch.from_numpy(cut.counted[:, 1:])]
    progress(label, model.blocks + 1, model.blocks + 1)
    mean = float(counted.mean())
    if not math.isfinite(mean):
        raise not_finite(source)
    if mean > _LARGEST_MEAN:
        raise InputError(
            f"{source.directory}: the mean negative log likelihood is {mean:.4g} nats, and its "
            "exponential beyond a double: the weights are not those of a language model"
        )
    value = math.exp(mean)
    size = (len(counted), len(windows), window_tokens, stride, max_tokens)
    return Perplexity(value, mean, *size, text.source, text.sha256)
