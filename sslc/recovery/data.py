"""Training data of a recovery as token ids and labels: windows of a text, or instructions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.utils.rnn import pad_sequence

from sslc.model.config import load_tokenizer, tokenize
from sslc.model.fence import fenced
from workloads.support.errors import InputError
from workloads.texts.instructions import ALPACA, SUFFIX, Example, Instructions, load_instructions
from workloads.texts.windows import load_text, scored_windows

IGNORED = -100
"""The label of a token whose prediction does not count."""
Tokens = dict[str, torch.Tensor]
"""``input_ids`` and ``labels``, shape (tokens,) or, in a batch, (examples, tokens)."""


@dataclass(frozen=True)
class TrainingData:
    """Examples, where they came from, and the hash of that."""

    source: str
    sha256: str
    examples: tuple[Tokens, ...]


def load_training_data(source: str, directory: Path, *, window_tokens: int) -> TrainingData:
    """Examples by name or path.

    Args:
        source: ``alpaca`` or a ``.jsonl`` file (``workloads.texts.instructions``); else any text of
            ``workloads.texts.windows.load_text``, whose calibration part is cut into windows, one
            after the other.
        directory: Of the tokenizer.
        window_tokens: Of every window; of an instruction, what lies behind is dropped.

    Raises:
        InputError: The data cannot be read, or nothing in it can be learnt.
    """
    if source == ALPACA or Path(source).suffix == SUFFIX:
        return _from_instructions(load_instructions(source), directory, window_tokens)
    text = load_text(source, "calibration")
    tokens = tokenize(directory, text.content)
    windows = torch.from_numpy(scored_windows(tokens, window_tokens, window_tokens, 0).tokens)
    examples = tuple({"input_ids": window, "labels": window} for window in windows)
    return TrainingData(text.source, text.sha256, examples)


def collate(examples: Sequence[Tokens]) -> Tokens:
    """A batch, filled up behind the shorter examples, where a causal model does not look."""
    fillers = {"input_ids": 0, "labels": IGNORED}
    return {
        name: pad_sequence([example[name] for example in examples], True, filler)
        for name, filler in fillers.items()
    }


def _from_instructions(
    instructions: Instructions, directory: Path, window_tokens: int
) -> TrainingData:
    tokenised = _tokenised(instructions.examples, directory, window_tokens)
    examples = tuple(example for example in tokenised if (example["labels"][1:] != IGNORED).any())
    if not examples:
        raise InputError(
            f"{instructions.source}: no response begins within {window_tokens} tokens; "
            "give longer windows or shorter prompts"
        )
    return TrainingData(instructions.source, instructions.sha256, examples)


def _tokenised(
    examples: Sequence[Example], directory: Path, window_tokens: int
) -> Iterator[Tokens]:
    """Prompt, response and end token; the tokenizer's own special tokens stand before the prompt.

    Source: train.py of tatsu-lab/stanford_alpaca, which tokenises prompt and response in one piece.
    Here they are tokenised apart, so that no token spans both.
    """
    tokenizer = load_tokenizer(directory)
    end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    with fenced(f"{directory}: the tokenizer fails on the examples"):
        prompts = tokenizer([example.prompt for example in examples], verbose=False)["input_ids"]
        responses = tokenizer(
            [example.response for example in examples], add_special_tokens=False, verbose=False
        )["input_ids"]
    for prompt, response in zip(prompts, responses, strict=True):
        ids = torch.tensor([*prompt, *response, *end][:window_tokens], dtype=torch.int64)
        labels = ids.clone()
        labels[: len(prompt)] = IGNORED
        yield {"input_ids": ids, "labels": labels}
