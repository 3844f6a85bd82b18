"""Configuration and tokenizer of a local model directory, read through transformers."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workloads.support.errors import InputError
from workloads.support.files import read_json

MODEL_TYPES = ("llama", "mistral", "qwen2")


def load_config(directory: Path) -> Any:
    """The transformers configuration of a local model directory.

    Raises:
        InputError: It is missing, broken, or of a family that is not supported.
    """
    from transformers import AutoConfig

    kind = read_json(directory / "config.json").get("model_type")
    if kind not in MODEL_TYPES:
        raise InputError(
            f"{directory / 'config.json'}: model_type {kind!r} is not supported; "
            f"supported: {', '.join(MODEL_TYPES)} (Llama 1 to 3, SmolLM, Mistral, Qwen2, Qwen2.5)"
        )
    try:
        return AutoConfig.from_pretrained(directory, local_files_only=True)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{directory / 'config.json'}: {error}") from error


def load_tokenizer(directory: Path) -> Any:
    """The tokenizer of a local model directory.

    Raises:
        InputError: There is none that transformers can read.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(directory, local_files_only=True)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise InputError(f"{directory}: no usable tokenizer ({error})") from error


def tokenize(directory: Path, text: str) -> NDArray[np.int64]:
    """Token ids of a text, shape (tokens,), without special tokens.

    Raises:
        InputError: The directory has no usable tokenizer.
    """
    encoded = load_tokenizer(directory)(text, add_special_tokens=False, verbose=False)
    return np.asarray(encoded["input_ids"], dtype=np.int64)
