"""Experts: what calibrates each, against transformers' own routing, and what is run of them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

import accelerator_sim
from sslc.calibration.windows import Calibration
from sslc.compression.block_loop import compress_checkpoint
from sslc.compression.output import Output
from sslc.compression.plan import Choice
from sslc.compression.projections import input_statistics
from sslc.exporting.adapter_export import export_adapter
from sslc.methods.registry import load_method
from sslc.model.blocks import BlockwiseModel
from sslc.model.opening import open_checkpoint
from tests.accelerator_sim.machines import small_machine
from tests.sslc.making import SONNETS
from tests.sslc.model.families import make_family
from workloads.artifact.read import Artifact
from workloads.shapes.experts import divide_tokens, expert_of
from workloads.support.errors import InputError, InputWarning

UNLOVED = 3
"""No token chooses this expert of block 0."""
TOKENS = torch.arange(5, 101).reshape(2, 48)


@pytest.fixture(scope="module")
def mixtral(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two blocks of five experts, two of them active."""
    directory = make_family("mixtral", tmp_path_factory.mktemp("mixtral"))
    name = "model.layers.0.block_sparse_moe.gate.weight"
    for file in directory.glob("*.safetensors"):
        tensors = load_file(file)
        if name in tensors:
            a, b = tensors[name][:2]
            tensors[name] = torch.stack([a, -a, b, 0 * a, -b])  # 0 is never among the two largest
            save_file(tensors, file, {"format": "pt"})
    return directory


@pytest.fixture(scope="module")
def artifact(mixtral: Path, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return compress_checkpoint(
        open_checkpoint(str(mixtral)),
        load_method("sslc-h", {"iterations": 2}),
        calibration=Calibration(str(SONNETS), windows=2, window_tokens=48),
        output=Output(tmp_path_factory.mktemp("experts") / "a"),
        choice=Choice(exclude=("layers.1.*",)),
    )


def _expert_inputs(directory: Path) -> tuple[Any, torch.Tensor, torch.Tensor]:
    """transformers' experts of block 0, what enters them, and the experts that each token runs."""
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
    seen: list[torch.Tensor] = []
    part = model.model.layers[0].mlp
    part.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model(TOKENS)
        inputs = seen[0].flatten(0, 1)
        return part.experts, inputs, part.gate(inputs)[2]


def test_input_statistics_experts_see_the_tokens_routed_to_them(mixtral: Path) -> None:
    model = BlockwiseModel(open_checkpoint(str(mixtral)))
    methods = dict.fromkeys(model.linear_names(), load_method("sparsegpt", {}))
    given = input_statistics(model, 0, methods=methods, hidden=model.embed(TOKENS))
    experts, inputs, chosen = _expert_inputs(mixtral)
    counts = []
    for expert in range(5):
        reached = (chosen == expert).any(dim=1)
        counts.append(int(reached.sum()))
        x = inputs[reached] if expert != UNLOVED else inputs
        gate, up = (x @ experts.gate_up_proj[expert].T).chunk(2, dim=-1)
        inner = experts.act_fn(gate) * up
        for name, rows in {"gate_proj": x, "up_proj": x, "down_proj": inner}.items():
            found = given[f"mlp.experts.{expert}.{name}"]
            assert found.hessian is not None
            assert torch.allclose(found.hessian, rows.T @ rows, rtol=1e-3, atol=1e-3)
            assert found.routed_tokens == counts[expert]
    assert counts[UNLOVED] == 0
    assert min(count for e, count in enumerate(counts) if e != UNLOVED) > 9
    assert given["self_attn.q_proj"].routed_tokens is None


def test_input_statistics_kept_outputs_are_those_of_the_routed_block(mixtral: Path) -> None:
    model = BlockwiseModel(open_checkpoint(str(mixtral)))
    methods = dict.fromkeys(model.linear_names(), load_method("wanda", {}))
    hidden = model.embed(TOKENS)
    kept = hidden.clone()
    found = input_statistics(model, 0, methods=methods, hidden=kept, keep=True)
    with model.block(0) as block:
        model.run(0, block, hidden)
    assert torch.equal(kept, hidden)
    assert bool((found[f"mlp.experts.{UNLOVED}.down_proj"].norms > 0).any())


def test_artifact_runs_the_active_experts_by_measured_shares(artifact: Artifact) -> None:
    first = {r.name: r.routed_tokens for r in artifact.blocks[0].projections}
    counts = [first[f"mlp.experts.{expert}.gate_proj"] for expert in range(5)]
    seen = [count for count in counts if count is not None]
    assert sum(seen) == 2 * 2 * 48
    assert seen[UNLOVED] == 0
    run = [item.gemm for block, item in artifact.projections(7) if block == 0]
    tokens = {expert_of(gemm.name): gemm.tokens for gemm in run}
    expected = dict(enumerate(divide_tokens(7, 2, seen)))
    assert tokens == {None: 7} | {e: count for e, count in expected.items() if count}
    one = [item.gemm.name for block, item in artifact.projections(1) if block == 0]
    assert len(one) == 4 + 2 * 3


def test_simulate_experts_says_the_distribution(artifact: Artifact) -> None:
    with pytest.warns(InputWarning, match=r"2 of 5 experts run each token, .* evenly \(assumed\)"):
        result = accelerator_sim.simulate(artifact.path, small_machine(), models=("roofline",))
    names = [part.name for part in result["roofline"].blocks[0].projections]
    assert sum("experts" in name for name in names) == 6


def test_export_adapter_of_experts_is_refused(artifact: Artifact, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has experts, which transformers and PEFT hold"):
        export_adapter(artifact, tmp_path / "adapter")


def test_gradients_of_experts_that_no_token_reaches_are_zero(mixtral: Path) -> None:
    model = BlockwiseModel(open_checkpoint(str(mixtral)))
    model.embed(TOKENS[:1])
    hidden = torch.randn(1, 48, 64, generator=torch.Generator().manual_seed(0))
    with model.block(0) as block:
        for name in model.linear_names():
            block.get_parameter(f"{name}.weight").requires_grad_()
        _, gradients = model.differentiate(0, block, hidden, torch.ones_like(hidden))
    assert not gradients[f"mlp.experts.{UNLOVED}.up_proj"].any()
    assert gradients["mlp.experts.0.up_proj"].any()
