"""The real model that ships as a package: our reading of its GGUF against other readers."""

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from gguf import GGUFReader, dequantize
from transformers import AutoModelForCausalLM

from sslc.evaluation.perplexity import perplexity
from sslc.model.checkpoint import Checkpoint
from sslc.model.config import load_config, tokenize
from sslc.model.opening import BUNDLED, open_checkpoint
from workloads.texts.windows import load_text

MODEL = "smollm2-135m"
CONVERTED = {
    "token_embd": "model.embed_tokens",
    "blk.3.attn_q": "model.layers.3.self_attn.q_proj",
    "blk.3.attn_k": "model.layers.3.self_attn.k_proj",
    "blk.3.attn_v": "model.layers.3.self_attn.v_proj",
    "blk.3.attn_norm": "model.layers.3.input_layernorm",
    "blk.29.ffn_down": "model.layers.29.mlp.down_proj",
    "output_norm": "model.norm",
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def bundled(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
    """Converted once for the tests here; the second test finds it in the cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    return open_checkpoint(MODEL)


def test_bundled_model_perplexity_equals_transformers(bundled: Checkpoint) -> None:
    """Two held-out windows; a language model that was read wrongly would not stay under 60."""
    found = perplexity(bundled, window_tokens=128, max_tokens=256)
    model = AutoModelForCausalLM.from_pretrained(bundled.directory, dtype=torch.float32)
    tokens = tokenize(bundled.directory, load_text("embedded", "evaluation").content)
    windows = torch.from_numpy(tokens[:256].reshape(2, 1, 128))
    with torch.no_grad():
        losses = [float(model(window, labels=window).loss) for window in windows]
    assert found.negative_log_likelihood == pytest.approx(sum(losses) / 2, rel=1e-5)
    assert found.perplexity < 60


def test_bundled_model_weights_are_those_of_the_gguf_file(bundled: Checkpoint, cache: Path) -> None:
    """Dequantised by the format's own library; its q and k hold the halves of a head in turn."""
    package, name = BUNDLED[MODEL]
    file = Path(str(find_spec(package).origin)).with_name(name)  # type: ignore[union-attr]
    stored = {tensor.name: tensor for tensor in GGUFReader(file).tensors}
    config = load_config(bundled.directory)
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    for theirs, ours in CONVERTED.items():
        tensor = stored[f"{theirs}.weight"]
        weight = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy())
        part = theirs.rpartition(".")[2]
        if part in heads:
            apart = weight.reshape(heads[part], -1, 2, weight.shape[1])
            weight = apart.transpose(1, 2).reshape(weight.shape)
        assert torch.equal(bundled.tensor(f"{ours}.weight"), weight), theirs
    assert [path.name for path in (cache / "sslc").iterdir()] == [bundled.directory.name]
