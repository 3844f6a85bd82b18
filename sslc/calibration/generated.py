"""Calibration text that the dense model writes itself: sampled, seeded, and kept in the cache."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sslc.model.checkpoint import Checkpoint
from sslc.model.config import load_tokenizer
from sslc.model.fence import fenced
from sslc.model.loading import load_whole
from workloads.support.cache import cached, is_cached
from workloads.support.files import open_tensors, write_tensors
from workloads.support.progress import Progress, silent

STAGE = "generate text"
TOGETHER = 16
_FORM = 1  # of the sampling: another is another entry of the cache
_OPENING = {"temperature": 1.3, "top_k": 300, "top_p": 1.0}
_OPENING_TOKENS = 6
_BODY = {"temperature": 1.0, "top_k": 512, "top_p": 0.95}
_FILE = "tokens.safetensors"


def generated_windows(
    checkpoint: Checkpoint,
    *,
    count: int,
    length: int,
    seed: int,
    device: torch.device | None = None,
    progress: Progress = silent,
) -> NDArray[np.int64]:
    """Token ids of windows that a model samples from nothing but its first token.

    They are made 16 at a time, and a window does not depend on how many are asked for. The whole
    model is in memory in float32 meanwhile.

    Args:
        checkpoint: The dense model.
        count: Windows.
        length: Tokens in each; the start token is not among them.
        seed: Of the samples.
        device: Where they are made; the CPU by default.
        progress: Told after every token.

    Returns:
        Shape (count, length).

    Raises:
        InputError: There is no usable tokenizer, or the model cannot be loaded.

    Source: as in LLM-QAT (Liu et al. 2023), text by the model stands in for its training text; the
    first tokens are drawn hotter so that windows differ. Temperatures and cuts are ours.
    """
    parts = []
    for batch, entry in enumerate(_entries(checkpoint, count, length, seed, device)):

        def make(directory: Path, batch: int = batch) -> None:
            tokens = _sample(checkpoint, length, (seed, batch), device, progress)
            write_tensors(directory / _FILE, {"tokens": tokens})

        file = open_tensors(cached(entry, make) / _FILE)
        parts.append(np.array(file.read("tokens"), dtype=np.int64))
    return np.concatenate(parts)[:count]


def unwritten_batches(
    checkpoint: Checkpoint,
    *,
    count: int,
    length: int,
    seed: int,
    device: torch.device | None = None,
) -> int:
    """How many batches of 16 windows ``generated_windows`` would write: those not in the cache."""
    entries = _entries(checkpoint, count, length, seed, device)
    return sum(not is_cached(entry) for entry in entries)


def _entries(
    checkpoint: Checkpoint, count: int, length: int, seed: int, device: torch.device | None
) -> list[str]:
    """Names in the cache, batch by batch."""
    kind = "cpu" if device is None else device.type
    model = checkpoint.sha256()[:24] if count else ""
    base = f"self-{model}-{_FORM}-{kind}-{length}-{seed}"
    return [f"{base}-{batch}" for batch in range(math.ceil(count / TOGETHER))]


def _sample(
    checkpoint: Checkpoint,
    length: int,
    seeds: tuple[int, int],
    device: torch.device | None,
    progress: Progress,
) -> NDArray[np.int64]:
    """One batch of windows, by the library's own sampling."""
    from transformers import GenerationConfig, StoppingCriteriaList

    start, control = _special_tokens(checkpoint.directory)
    model = load_whole(checkpoint).to(device or torch.device("cpu"))
    model.generation_config = GenerationConfig()  # type: ignore[no-untyped-call]
    entropy = np.random.SeedSequence(seeds).generate_state(1, np.uint64)[0]
    tokens = torch.full((TOGETHER, 1), start, device=model.device)
    opening = min(_OPENING_TOKENS, length)
    with (
        torch.random.fork_rng(devices=[]),
        torch.inference_mode(),
        fenced(f"{checkpoint.directory}: the model cannot generate text"),
    ):
        torch.manual_seed(int(entropy % 2**63))
        for count, settings in ((opening, _OPENING), (length - opening, _BODY)):
            if count:
                tokens = model.generate(
                    tokens,
                    attention_mask=torch.ones_like(tokens),
                    generation_config=GenerationConfig(  # type: ignore[no-untyped-call]
                        do_sample=True,
                        max_new_tokens=count,
                        suppress_tokens=control or None,
                        pad_token_id=start,
                        **settings,
                    ),
                    stopping_criteria=StoppingCriteriaList([_Report(length, progress)]),
                )
    progress(STAGE, length, length)
    return np.asarray(tokens[:, 1:].cpu().numpy(), dtype=np.int64)


def _special_tokens(directory: Path) -> tuple[int, list[int]]:
    """The token that text starts behind, and those that never stand in it.

    Text starts behind what the tokenizer puts before every text, or else behind the special token
    of the lowest id, which is the one between documents in most vocabularies without such a token.
    """
    tokenizer = load_tokenizer(directory)
    with fenced(f"{directory}: the tokenizer fails on an empty text"):
        added = tokenizer.added_tokens_decoder.items()
        special = {int(each) for each, token in added if token.special}
        control = sorted(special | {int(each) for each in tokenizer.all_special_ids})
        before = tokenizer("")["input_ids"]
    start = int(before[0]) if len(before) else min(control, default=0)
    return start, control


class _Report:
    """Tells our progress about the library's tokens; never stops it."""

    def __init__(self, length: int, progress: Progress) -> None:
        self._length, self._progress = length, progress

    def __call__(self, input_ids: torch.Tensor, _scores: Any, **_: Any) -> torch.Tensor:
        """No window is done."""
        self._progress(STAGE, input_ids.shape[1] - 1, self._length)
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
