"""Tiny GGUF files, written by the format's own library."""

from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFWriter

HIDDEN, INNER, BLOCKS, VOCABULARY = 32, 48, 2, 300
_IN_BLOCK = {
    "attn_norm": (HIDDEN,),
    "ffn_norm": (HIDDEN,),
    "attn_q": (HIDDEN, HIDDEN),
    "attn_k": (HIDDEN // 2, HIDDEN),
    "attn_v": (HIDDEN // 2, HIDDEN),
    "attn_output": (HIDDEN, HIDDEN),
    "ffn_gate": (INNER, HIDDEN),
    "ffn_up": (INNER, HIDDEN),
    "ffn_down": (HIDDEN, INNER),
}


def shapes() -> dict[str, tuple[int, ...]]:
    """Every tensor of the whole model, whose head is the embedding."""
    outside = {"token_embd": (VOCABULARY, HIDDEN), "output_norm": (HIDDEN,)}
    blocks = {f"blk.{n}.{name}": s for n in range(BLOCKS) for name, s in _IN_BLOCK.items()}
    return {f"{name}.weight": shape for name, shape in (outside | blocks).items()}


def write_gguf(path: Path, tensors: dict[str, tuple[int, ...]], **values: Any) -> Path:
    """A small Llama of random tensors; values replace whole numbers of its header."""
    writer = GGUFWriter(path, "llama")
    counts = {
        "llama.block_count": BLOCKS,
        "llama.context_length": 64,
        "llama.embedding_length": HIDDEN,
        "llama.feed_forward_length": INNER,
        "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2,
        "llama.vocab_size": VOCABULARY,
    }
    for key, value in (counts | values).items():
        writer.add_uint32(key, value)
    writer.add_float32("llama.attention.layer_norm_rms_epsilon", 1e-5)
    words = [chr(33 + n) if n < 90 else f"t{n}" for n in range(VOCABULARY)]
    words[-1] = "AB"
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(words)
    writer.add_token_types([1] * VOCABULARY)
    writer.add_token_merges(["A B"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    draw = np.random.default_rng(0)
    for name, shape in tensors.items():
        writer.add_tensor(name, draw.normal(size=shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
