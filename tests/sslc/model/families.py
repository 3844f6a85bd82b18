"""A tiny random checkpoint of every supported family, bf16 and in shards, made by transformers."""

from pathlib import Path
from typing import Any

import torch
import transformers

from tests.conftest import VOCABULARY, save_tokenizer

SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
    "initializer_range": 0.1,
}
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
GEMMA = {
    "num_key_value_heads": 2,
    "head_dim": 24,
    "sliding_window": 24,
    "layer_types": ["sliding_attention", "full_attention"],
    "query_pre_attn_scalar": 24,
}
QWEN3_MOE = {
    "num_key_value_heads": 2,
    "head_dim": 24,
    "num_experts": 6,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "norm_topk_prob": True,
}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama-2": ("Llama", {"num_key_value_heads": 4, "tie_word_embeddings": False}),
    "llama-3": ("Llama", {"num_key_value_heads": 2, "rope_parameters": LLAMA3_ROPE}),
    "smollm": ("Llama", {"num_key_value_heads": 1, "tie_word_embeddings": True}),
    "qwen2.5": ("Qwen2", {"num_key_value_heads": 2, "tie_word_embeddings": True}),
    "mistral": ("Mistral", {"num_key_value_heads": 2, "sliding_window": 24, "head_dim": 24}),
    "qwen3": ("Qwen3", {"num_key_value_heads": 2, "head_dim": 24}),
    "gemma-2": ("Gemma2", GEMMA | {"final_logit_softcapping": 5.0}),
    "gemma-3": ("Gemma3", GEMMA),
    "phi-3": ("Phi3", {"num_key_value_heads": 2, "pad_token_id": 0}),
    "mixtral": ("Mixtral", {"num_key_value_heads": 2, "num_local_experts": 5}),
    "qwen3-moe": ("Qwen3Moe", QWEN3_MOE),
}


def make_family(name: str, directory: Path) -> Path:
    """Write a checkpoint of a family into a directory; norms and biases are random too."""
    kind, changes = FAMILIES[name]
    of_text = "Gemma3Text" if kind == "Gemma3" else kind
    config = getattr(transformers, f"{of_text}Config")(**SHAPE | changes)
    torch.manual_seed(1)
    model = getattr(transformers, f"{kind}ForCausalLM")(config)
    for part, parameter in model.named_parameters():
        if part.endswith(("bias", "norm.weight")):
            torch.nn.init.normal_(parameter, std=0.5)
    model.to(torch.bfloat16).save_pretrained(directory, max_shard_size="60KB")
    save_tokenizer(directory)
    return directory
