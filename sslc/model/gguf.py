"""A GGUF file converted once, through transformers, into a safetensors checkpoint in the cache."""

import os
import shutil
from pathlib import Path
from typing import Any

import torch

from workloads.support.errors import InputError
from workloads.support.files import sha256_file
from workloads.support.progress import Progress

_CONVERSION = "v1"


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "sslc"


def convert_gguf(path: Path, progress: Progress) -> Path:
    """The cached safetensors checkpoint of a GGUF file, converted now if it is not there yet."""
    target = _cache() / f"{path.stem}-{sha256_file(path)[:16]}-{_CONVERSION}"
    if target.is_dir():
        return target
    with path.open("rb") as stream:
        if stream.read(4) != b"GGUF":
            raise InputError(f"{path}: not a GGUF file")
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    stage = f"convert {path.name} (once, up to a minute)"
    progress(stage, 0, 1)
    try:
        _save_gguf(path, partial)
        partial.rename(target)
        progress(stage, 1, 1)
    except OSError:
        if not target.is_dir():
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _save_gguf(path: Path, target: Path) -> None:
    """Dequantise a GGUF file to fp32 through transformers and save it with its tokenizer."""
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=torch.float32
        )
        tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    except (ValueError, KeyError, IndexError, OSError, NotImplementedError) as error:
        raise InputError(f"{path}: transformers cannot read this GGUF file ({error})") from error
    del model.config.quantization_config  # it would claim that the saved weights are still GGUF
    model.hf_quantizer = None
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)
