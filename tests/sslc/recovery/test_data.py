"""Which tokens a recovery learns: labels by hand, windows, batches."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from sslc.model.config import tokenize
from sslc.recovery.data import IGNORED, Tokens, collate, load_training_data
from workloads.support.errors import InputError
from workloads.texts.windows import load_text

GREET = {"instruction": "Greet.", "output": "Hello"}
PROMPT = (
    "Below is an instruction that describes a task. Write a response that appropriately completes "
    "the request.\n\n### Instruction:\nGreet.\n\n### Response:"
)


@pytest.fixture(scope="module")
def ending(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shared tokenizer with a first token, 384, put in front, and an end token, 385."""
    from tokenizers.processors import TemplateProcessing

    directory = tmp_path_factory.mktemp("ending")
    tokenizer = AutoTokenizer.from_pretrained(llama)
    tokenizer.add_special_tokens({"bos_token": "<s>", "eos_token": "</s>"})
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 384)]
    )
    tokenizer.save_pretrained(directory)
    assert tokenizer("a")["input_ids"][0] == 384
    assert tokenizer.eos_token_id == 385
    return directory


def _examples(tmp_path: Path, directory: Path, window: int, *rows: object) -> tuple[Tokens, ...]:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_training_data(str(path), directory, window_tokens=window).examples


def test_training_data_instruction_learns_response_and_end_token_only(
    ending: Path, tmp_path: Path
) -> None:
    prompt, response = (tokenize(ending, text).tolist() for text in (PROMPT, "Hello"))
    [example] = _examples(tmp_path, ending, 512, GREET)
    assert example["input_ids"].tolist() == [384, *prompt, *response, 385]
    assert example["labels"].tolist() == [IGNORED] * (1 + len(prompt)) + [*response, 385]


def test_training_data_is_cut_at_the_window(ending: Path, tmp_path: Path) -> None:
    prompt, response = (tokenize(ending, text).tolist() for text in (PROMPT, "Hello"))
    length = 1 + len(prompt)
    assert len(response) > 1
    [example] = _examples(tmp_path, ending, length + 1, GREET)
    assert example["input_ids"].tolist() == [384, *prompt, response[0]]
    assert example["labels"].tolist() == [IGNORED] * length + response[:1]
    short = {"text": "Some text."}
    [example] = _examples(tmp_path, ending, length, GREET, short)  # nothing of GREET is left
    text = tokenize(ending, "Some text.").tolist()
    assert example["input_ids"].tolist() == [384, *text, 385]
    assert example["labels"].tolist() == [IGNORED, *text, 385]
    with pytest.raises(InputError, match=rf"rows\.jsonl: no response begins within {length}"):
        _examples(tmp_path, ending, length, GREET)


def test_training_data_tokenizer_without_special_tokens_adds_none(
    llama: Path, tmp_path: Path
) -> None:
    text, empty = {"text": "Some text."}, {"text": ""}
    [example] = _examples(tmp_path, llama, 512, text, empty)
    assert example["input_ids"].tolist() == tokenize(llama, "Some text.").tolist()
    assert torch.equal(example["input_ids"], example["labels"])


def test_training_data_text_is_cut_into_consecutive_windows(llama: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(load_text("embedded", "evaluation").content[:2000])
    tokens = tokenize(llama, path.read_text())
    found = load_training_data(str(path), llama, window_tokens=50)
    assert found.source == "a.txt"
    windows = np.stack([each["input_ids"].numpy() for each in found.examples])
    assert windows.tobytes() == tokens[: len(tokens) // 50 * 50].tobytes()
    assert all(torch.equal(each["input_ids"], each["labels"]) for each in found.examples)
    source = load_training_data("embedded", llama, window_tokens=64).source
    assert source == "embedded:calibration"
    with pytest.raises(InputError, match="the text has"):
        load_training_data(str(path), llama, window_tokens=5000)


def test_collate_fills_up_behind_the_shorter_example() -> None:
    first = {"input_ids": torch.tensor([1, 2, 3]), "labels": torch.tensor([IGNORED, 2, 3])}
    second = {"input_ids": torch.tensor([4]), "labels": torch.tensor([4])}
    batch = collate([first, second])
    assert batch["input_ids"].tolist() == [[1, 2, 3], [4, 0, 0]]
    assert batch["labels"].tolist() == [[IGNORED, 2, 3], [4, IGNORED, IGNORED]]
