"""Every supported family, tiny, bf16 and sharded: compressed, evaluated and exported."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

import accelerator_sim
import sslc
from accelerator_sim.machine.catalog import load_accelerator
from sslc.calibration.windows import Calibration
from sslc.compression.block_loop import compress_checkpoint
from sslc.compression.output import Output
from sslc.evaluation.perplexity import perplexity
from sslc.exporting.dense import export_dense
from sslc.methods.registry import load_method
from sslc.model.config import tokenize
from sslc.model.opening import open_checkpoint
from sslc.model.weights import ArtifactWeights
from tests.sslc.making import SONNETS
from tests.sslc.model.families import FAMILIES, make_family
from workloads.artifact.read import Artifact
from workloads.support.errors import InputError


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def sharded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = make_family(request.param, tmp_path_factory.mktemp(request.param))
    assert (directory / "model.safetensors.index.json").is_file()
    return directory


@pytest.fixture(scope="module")
def artifact(sharded: Path, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    method, cut = load_method("sslc", {}), Calibration(str(SONNETS), windows=2, window_tokens=48)
    output = Output(tmp_path_factory.mktemp("compressed") / "a")
    return compress_checkpoint(
        open_checkpoint(str(sharded)), method, calibration=cut, output=output
    )


def test_family_sharded_is_compressed_evaluated_and_exported(
    sharded: Path, artifact: Artifact, tmp_path: Path
) -> None:
    assert artifact.settings.dtype == "BF16"
    biased = {r.name for r in artifact.blocks[0].projections if r.bias}
    expected = {f"self_attn.{name}_proj" for name in "qkv"} if "qwen2" in sharded.name else set()
    assert biased == expected
    export_dense(artifact, tmp_path / "dense")
    dense = AutoModelForCausalLM.from_pretrained(tmp_path / "dense")
    tokens = torch.from_numpy(tokenize(sharded, SONNETS.read_text()))
    windows = tokens[: 4 * 48].reshape(4, 48)
    with torch.no_grad():
        losses = [float(dense(w[None], labels=w[None]).loss) for w in windows]
        logits = sslc.load(artifact.path)(windows).logits
        assert torch.allclose(logits, dense(windows).logits, atol=1e-4)
    found = perplexity(ArtifactWeights(artifact), str(SONNETS), window_tokens=48, max_tokens=4 * 48)
    assert found.perplexity == pytest.approx(np.exp(np.mean(losses)), rel=1e-4)


def test_family_is_simulated_with_every_projection(sharded: Path, artifact: Artifact) -> None:
    machine = load_accelerator("array-64x64")
    made = accelerator_sim.simulate(artifact, machine, models=("published", "compiled"))
    config = AutoModelForCausalLM.from_pretrained(sharded).config
    heads, size = config.num_attention_heads, config.hidden_size
    wide = getattr(config, "head_dim", None) or size // heads
    attention = 2 * size * wide * (heads + config.num_key_value_heads)
    active = getattr(config, "num_experts_per_tok", 1)
    inner = getattr(config, "moe_intermediate_size", config.intermediate_size)
    dense = {"MHA": attention, "FFN": 3 * size * inner * active}
    for module, cycles in made["published"].mean_per_block.items():
        assert cycles.dense_cycles == pytest.approx(dense[module] / machine.peak_macs)
        assert made["compiled"].mean_per_block[module].sum_cycles > cycles.sum_cycles > 0


def test_family_dense_perplexity_equals_transformers(sharded: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(sharded, dtype=torch.float32)
    tokens = torch.from_numpy(tokenize(sharded, SONNETS.read_text()))
    window = tokens[:64]
    with torch.no_grad():
        loss = float(model(window[None], labels=window[None]).loss)
    found = perplexity(open_checkpoint(str(sharded)), str(SONNETS), window_tokens=64, max_tokens=64)
    assert found.negative_log_likelihood == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("kind", ["gpt2", "gemma", "gemma3", "qwen2_moe", "deepseek_v3"])
def test_family_unsupported_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    (tmp_path / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    with pytest.raises(InputError, match=f"'{kind}' is not supported; supported: llama") as caught:
        open_checkpoint(str(tmp_path))
    for supported in ("Llama", "Qwen2", "Mistral", "SmolLM"):
        assert supported in str(caught.value)
