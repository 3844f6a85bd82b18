"""Blocks trained on the dense block's outputs: against plain torch, and what must not change."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from sslc.calibration.windows import calibration_windows, load_calibration
from sslc.compression.block_loop import compress_checkpoint
from sslc.compression.output import Output
from sslc.compression.plan import EVERYTHING, Choice
from sslc.methods.registry import load_method
from sslc.model.opening import open_checkpoint
from sslc.model.weights import ArtifactWeights, sparse_part, to_torch
from sslc.refinement.stages import BlockMatching
from tests.sslc.making import CUT, tree_bytes
from workloads.artifact.read import Artifact
from workloads.artifact.record import CompressedTensors
from workloads.artifact.write import ArtifactWriter

QUICK = BlockMatching(epochs=2, batch_windows=2, learning_rate=1e-2, floor=0.5)


def _run(
    model: Path,
    out: Path,
    matching: BlockMatching | None,
    method: str = "sslc",
    choice: Choice = EVERYTHING,
    **output: Any,
) -> Artifact:
    return compress_checkpoint(
        open_checkpoint(str(model)), load_method(method, {}), calibration=CUT,
        output=Output(out, **output), matching=matching, choice=choice,
    )  # fmt: skip


class _Values(torch.nn.Module):
    """S by its values alone, U and V: the same layer, put together another way."""

    def __init__(self, stored: CompressedTensors, bias: torch.Tensor | None) -> None:
        super().__init__()
        self.places = torch.from_numpy(stored.mask.unpack())
        self.values = torch.nn.Parameter(to_torch(stored.values))
        self.u, self.v = (torch.nn.Parameter(to_torch(part)) for part in (stored.u, stored.v))
        self.bias = bias

    def weight(self) -> torch.Tensor:
        whole = torch.zeros(self.places.shape)
        whole = whole.masked_scatter(self.places, self.values)
        return whole + self.u @ self.v.T

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(x, self.weight(), self.bias)


def test_first_block_is_trained_as_by_plain_torch(qwen: Path, tmp_path: Path) -> None:
    """Both windows in each of two steps: the order is of no matter, Adam and the loss are."""
    before, after = _run(qwen, tmp_path / "a", None), _run(qwen, tmp_path / "b", QUICK)
    checkpoint = open_checkpoint(str(qwen))
    windows = calibration_windows(checkpoint, load_calibration(checkpoint, CUT), calibration=CUT)
    model: Any = AutoModelForCausalLM.from_pretrained(qwen, dtype=torch.float32)
    block = model.model.layers[0]
    seen: dict[str, Any] = {}
    block.register_forward_pre_hook(
        lambda _, given, named: seen.update(given=given, named=named), with_kwargs=True
    )
    with torch.no_grad():
        model(windows, use_cache=False)
        targets = block(*seen["given"], **seen["named"])
    layers = {}
    for record in before.blocks[0].projections:
        bias = block.get_submodule(record.name).bias
        layers[record.name] = _Values(before.read(0, record.name), bias)
        block.set_submodule(record.name, layers[record.name])
    trained = [p for layer in layers.values() for p in (layer.values, layer.u, layer.v)]
    optimizer = torch.optim.Adam(trained)
    for rate in (1e-2, 0.75e-2):
        optimizer.zero_grad()
        (block(*seen["given"], **seen["named"]) - targets).square().sum().backward()
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
    for name, layer in layers.items():
        stored = after.read(0, name)
        whole = sparse_part(stored) + to_torch(stored.u) @ to_torch(stored.v).T
        wrong = (whole - layer.weight()).abs()
        moved = (whole - sparse_part(before.read(0, name))).abs().max()
        assert wrong.median() < 1e-5, name
        assert wrong.quantile(0.99) < 1e-3 < moved, name


@pytest.mark.parametrize("method", ["sslc", "wanda"])
def test_matching_keeps_masks_budget_and_what_is_left_dense(
    llama: Path, tmp_path: Path, method: str
) -> None:
    choice = Choice(exclude=("o_proj",))
    before = _run(llama, tmp_path / "a", None, method, choice)
    after = _run(llama, tmp_path / "b", QUICK, method, choice, dtype="BF16")
    after.verify()
    assert after.settings.method_name == f"{method} + blocks"
    for old, new in zip(before.blocks[0].projections, after.blocks[0].projections, strict=True):
        was, now = before.read(0, old.name), after.read(0, new.name)
        assert was.mask.bits.tobytes() == now.mask.bits.tobytes()
        assert (old.rank, old.nonzeros) == (new.rank, new.nonzeros)
        if old.name.endswith("o_proj"):
            assert np.allclose(was.values, now.values.astype(np.float32), rtol=0.01)
        else:
            assert not np.allclose(was.values, now.values.astype(np.float32), rtol=0.01)
    rest = [artifact.path / "rest.safetensors" for artifact in (before, after)]
    assert rest[0].read_bytes() == rest[1].read_bytes()


def test_matching_brings_outputs_nearer_to_those_of_the_dense_model(
    llama: Path, tmp_path: Path
) -> None:
    """The last block's outputs, on the calibration windows: below 0.8 of the error without."""
    checkpoint = open_checkpoint(str(llama))
    windows = calibration_windows(checkpoint, load_calibration(checkpoint, CUT), calibration=CUT)
    longer = BlockMatching(epochs=20, learning_rate=3e-3)

    def states(source: Any) -> torch.Tensor:
        from sslc.model.blocks import BlockwiseModel

        model = BlockwiseModel(source)
        hidden = model.embed(windows)
        for index in range(model.blocks):
            with model.block(index) as block:
                model.run(index, block, hidden)
        return hidden

    wanted = states(checkpoint)
    errors = []
    for number, matching in enumerate((None, longer, BlockMatching(20, 1, 3e-3, norms=True))):
        artifact = _run(llama, tmp_path / str(number), matching)
        errors.append(float((states(ArtifactWeights(artifact)) - wanted).norm()))
    assert errors[1] < 0.8 * errors[0]
    assert errors[2] < 0.8 * errors[0]


class _KilledError(Exception):
    pass


@pytest.mark.parametrize("after", [1, 3])
def test_matching_resumed_is_byte_identical_with_its_norms(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Stopped while a block is written, and while the artifact is finished."""
    matching = BlockMatching(epochs=1, norms=True)
    whole = _run(llama, tmp_path / "whole", matching)
    name = "finish" if after == 3 else "write_block"
    original: Callable[..., None] = getattr(ArtifactWriter, name)

    def stop(writer: ArtifactWriter, *arguments: Any) -> None:
        if len(writer.blocks) == after:
            raise _KilledError
        original(writer, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(ArtifactWriter, name, stop)
        with pytest.raises(_KilledError):
            _run(llama, tmp_path / "a", matching)
    assert (tmp_path / "a.refining" / "norms-000.safetensors").is_file()
    resumed = _run(llama, tmp_path / "a", matching, resume=True)
    assert tree_bytes(resumed.path) == tree_bytes(whole.path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "whole"]
    dense = open_checkpoint(str(llama))
    norm = "model.layers.1.input_layernorm.weight"
    found = ArtifactWeights(resumed).tensor(norm)
    assert found.dtype == dense.tensor(norm).dtype
    assert not torch.equal(found, dense.tensor(norm))
    final = "model.norm.weight"
    assert torch.equal(ArtifactWeights(resumed).tensor(final), dense.tensor(final))
