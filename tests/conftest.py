"""Small models that the tests share: made here with transformers, never downloaded."""

import os
from pathlib import Path
from typing import Any

# Before anything imports Triton: its own functions, too, are then run by its interpreter.
os.environ["TRITON_INTERPRET"] = "1"

import hypothesis
import pytest
import torch

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# The same examples in every run, and no failure because a machine is busy.
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True)
hypothesis.settings.load_profile("suite")

VOCABULARY = 384
BLOCKS = 3


def save_tokenizer(directory: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    from workloads.texts.windows import load_text

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    sample = load_text("embedded", "calibration").content[:20_000]
    tokenizer.train_from_iterator([sample], trainer)
    wrapped: Any = PreTrainedTokenizerFast
    wrapped(tokenizer_object=tokenizer).save_pretrained(directory)


def make_checkpoint(directory: Path, *, family: str, blocks: int = BLOCKS, tied: bool) -> Path:
    """Save a random small model with its tokenizer; Qwen2 has biases on q, k and v."""
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

    configuration, model = {
        "llama": (LlamaConfig, LlamaForCausalLM),
        "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    }[family]
    torch.manual_seed(0)
    config = configuration(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=blocks,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=tied,
        initializer_range=0.1,
    )
    made = model(config)
    for name, parameter in made.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.1)
    made.save_pretrained(directory)
    save_tokenizer(directory)
    return directory


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("llama"), family="llama", tied=False)


@pytest.fixture(scope="session")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("qwen"), family="qwen2", tied=True)


@pytest.fixture(scope="session")
def short_texts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A calibration and an evaluation text that are read in no time."""
    from workloads.texts.windows import load_text

    folder = tmp_path_factory.mktemp("texts")
    paths = folder / "calibration.txt", folder / "evaluation.txt"
    paths[0].write_text(load_text("embedded", "calibration").content[:6000])
    paths[1].write_text(load_text("embedded", "evaluation").content[:6000])
    return paths
