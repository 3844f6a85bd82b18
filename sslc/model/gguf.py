"""A GGUF file converted once, through transformers, into a safetensors checkpoint in the cache."""

from pathlib import Path
from typing import Any

import torch

from sslc.model.config import check_numbers
from sslc.model.fence import fenced
from sslc.model.gguf_header import GgufHeader, read_header
from sslc.model.names import EMBEDDING, HEAD, NORM, full_name
from sslc.model.shapes import check_shapes
from workloads.support.cache import cached
from workloads.support.errors import InputError, shown
from workloads.support.files import sha256_file
from workloads.support.progress import Progress

_CONVERSION = "v1"
CONVERTED = ("llama", "mistral", "qwen2")
"""Architectures of GGUF files that are converted; files of others name tensors otherwise."""
_SPLIT = "split.count"
_OUTSIDE = {"token_embd": EMBEDDING, "output_norm": NORM, "output": HEAD}
_IN_BLOCK = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def convert_gguf(path: Path, progress: Progress) -> Path:
    """The cached safetensors checkpoint of a GGUF file, converted now if it is not there yet.

    Raises:
        InputError: The file is damaged, one part of several, incomplete, or of another family.
    """
    header = read_header(path)
    _check(path, header)
    stage = f"convert {path.name} (once, up to a minute)"

    def make(directory: Path) -> None:
        progress(stage, 0, 1)
        _save_gguf(path, header, directory)
        progress(stage, 1, 1)

    return cached(f"{path.stem}-{sha256_file(path)[:16]}-{_CONVERSION}", make)


def _check(path: Path, header: GgufHeader) -> None:
    parts = header.values.get(_SPLIT, 1)
    if not isinstance(parts, int) or parts > 1:
        raise InputError(
            f"{path}: one of {shown(parts)} parts of a model; join them with "
            "llama-gguf-split --merge and give the whole file"
        )
    kind = header.values.get("general.architecture")
    if kind not in CONVERTED:
        raise InputError(
            f"{path}: general.architecture {shown(kind)} is not supported; "
            f"supported: {', '.join(CONVERTED)}"
        )


def _save_gguf(path: Path, header: GgufHeader, target: Path) -> None:
    """Dequantise a GGUF file to fp32 through transformers and save it with its tokenizer."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    where: dict[str, Any] = {"gguf_file": path.name, "trust_remote_code": False}
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    with fenced(f"{path}: transformers cannot read this GGUF file"):
        config = AutoConfig.from_pretrained(path.parent, **where)
        check_numbers(path, config.to_dict())
        check_shapes(path, config, _named_as_in_checkpoints(header))
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            path.parent, dtype=torch.float32, output_loading_info=True, **where
        )
        model, info = loaded
        lacking = sorted({*info["missing_keys"], *info["mismatched_keys"]})
        if lacking:
            raise InputError(f"{path}: tensor {lacking[0]} is missing or of another shape")
        tokenizer = AutoTokenizer.from_pretrained(path.parent, **where)
        del model.config.quantization_config  # it would claim that the saved weights are GGUF
        model.hf_quantizer = None
        model.save_pretrained(target)
        tokenizer.save_pretrained(target)


def _named_as_in_checkpoints(header: GgufHeader) -> dict[str, tuple[int, ...]]:
    """Shapes by the names that the tensors have in safetensors checkpoints; others as they are."""
    return {_checkpoint_name(name): shape for name, shape in header.shapes.items()}


def _checkpoint_name(name: str) -> str:
    module, _, part = name.rpartition(".")
    block, _, last = module.removeprefix("blk.").partition(".")
    if module in _OUTSIDE:
        return f"{_OUTSIDE[module]}.{part}"
    if last in _IN_BLOCK and block.isdecimal():
        return f"{full_name(int(block), _IN_BLOCK[last])}.{part}"
    return name
