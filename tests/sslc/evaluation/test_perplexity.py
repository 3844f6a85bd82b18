"""Perplexity against a computation that knows only transformers."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from sslc.evaluation.perplexity import perplexity
from sslc.model.opening import open_checkpoint
from workloads.support.errors import InputError

LENGTH = 64


def independent_perplexity(model_path: Path, text: Path, length: int, stride: int) -> float:
    """Windows that start every ``stride`` tokens, each token counted once.

    Without overlap only whole windows count (GPTQ's loop); with overlap the last is shorter.
    """
    model = AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.float32)
    ids = AutoTokenizer.from_pretrained(model_path)(text.read_text(), return_tensors="pt").input_ids
    total, count, seen = 0.0, 0, 0
    for start in range(0, ids.shape[1], stride):
        end = min(start + length, ids.shape[1])
        if stride == length and end - start < length:
            break
        window = ids[:, start:end]
        with torch.no_grad():
            likelihoods = model(window).logits.double().log_softmax(-1)
        for place in range(max(1, seen - start), end - start):
            total -= float(likelihoods[0, place - 1, window[0, place]])
            count += 1
        seen = end
        if end == ids.shape[1]:
            break
    return math.exp(total / count)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "t.txt"
    path.write_text(
        " ".join(f"Line {n} says that {n * n} is the square of {n}." for n in range(30))
    )
    return path


@pytest.mark.parametrize("family", ["llama", "qwen"])
@pytest.mark.parametrize("stride", [64, 63, 40, 17])
def test_perplexity_any_stride_equals_transformers(
    family: str, stride: int, text: Path, request: pytest.FixtureRequest
) -> None:
    path: Path = request.getfixturevalue(family)
    found = perplexity(
        open_checkpoint(str(path)),
        str(text),
        window_tokens=LENGTH,
        max_tokens=0,
        stride_tokens=stride,
    )
    assert found.stride_tokens == stride
    expected = independent_perplexity(path, text, LENGTH, stride)
    assert found.perplexity == pytest.approx(expected, rel=1e-5)


def test_perplexity_first_token_of_the_tokenizer_is_predicted_from(
    llama: Path, text: Path, tmp_path: Path
) -> None:
    from tokenizers import processors

    copy = tmp_path / "model"
    AutoModelForCausalLM.from_pretrained(llama).save_pretrained(copy)
    tokenizer = AutoTokenizer.from_pretrained(llama)
    plain = len(tokenizer(text.read_text()).input_ids)
    first = tokenizer.convert_ids_to_tokens(5)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A", pair=None, special_tokens=[(first, 5)]
    )
    tokenizer.save_pretrained(copy)
    found = perplexity(
        open_checkpoint(str(copy)), str(text), window_tokens=LENGTH, max_tokens=0, stride_tokens=32
    )
    assert found.predicted_tokens == plain
    expected = independent_perplexity(copy, text, LENGTH, 32)
    assert found.perplexity == pytest.approx(expected, rel=1e-5)


def test_perplexity_max_tokens_bounds_what_is_counted(llama: Path, text: Path) -> None:
    source = open_checkpoint(str(llama))
    plain = perplexity(source, str(text), window_tokens=LENGTH, max_tokens=200)
    strided = perplexity(source, str(text), window_tokens=LENGTH, max_tokens=200, stride_tokens=32)
    assert (plain.windows, plain.predicted_tokens) == (3, 3 * (LENGTH - 1))
    assert (strided.windows, strided.predicted_tokens) == (6, 199)
    assert np.isfinite(strided.perplexity)


@pytest.mark.parametrize("stride", [0, -3, LENGTH + 1])
def test_perplexity_stride_out_of_range_is_refused(llama: Path, text: Path, stride: int) -> None:
    with pytest.raises(InputError, match=f"stride must be 1 to the window's {LENGTH} tokens"):
        perplexity(
            open_checkpoint(str(llama)),
            str(text),
            window_tokens=LENGTH,
            max_tokens=0,
            stride_tokens=stride,
        )
