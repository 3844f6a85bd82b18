"""The block-wise gradient pass against autograd over the whole model, and its resume."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from sslc.calibration import gradients
from sslc.calibration.gradients import collect_gradients, read_gradients
from sslc.calibration.statistics import InputStatistics
from sslc.calibration.windows import Calibration, calibration_windows, load_calibration
from sslc.compression.block_loop import compress_checkpoint
from sslc.compression.output import Output
from sslc.methods.registry import load_method
from sslc.model.blocks import BlockwiseModel
from sslc.model.opening import open_checkpoint
from sslc.model.weights import dense_weight
from tests.sslc.making import SONNETS, tree_bytes
from workloads.artifact.read import Artifact
from workloads.support.files import Hashes, write_tensors

CPU = torch.device("cpu")
CUT = Calibration(str(SONNETS), windows=3, window_tokens=40)


def _windows(model: Path) -> torch.Tensor:
    checkpoint = open_checkpoint(str(model))
    return calibration_windows(checkpoint, load_calibration(checkpoint, CUT), calibration=CUT)


def _whole_model_gradients(path: Path, windows: torch.Tensor) -> dict[str, torch.Tensor]:
    """Root of the sum over windows of squared gradients, by autograd through transformers' loss."""
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    sums: dict[str, torch.Tensor] = {}
    for window in windows:
        model.zero_grad()
        model(window[None], labels=window[None]).loss.backward()
        for name, parameter in model.model.layers.named_parameters():
            if name.endswith("proj.weight"):
                squared = parameter.grad.double().square()
                sums[name] = sums.get(name, torch.zeros_like(squared)) + squared
    return {name: total.sqrt() for name, total in sums.items()}


@pytest.mark.parametrize("family", ["llama", "qwen"])
def test_collect_gradients_equals_autograd_of_the_whole_model(
    family: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path: Path = request.getfixturevalue(family)
    windows = _windows(path)
    expected = _whole_model_gradients(path, windows)
    collect_gradients(BlockwiseModel(open_checkpoint(str(path))), windows, directory=tmp_path)
    found = {
        f"{index}.{name}.weight": gradient
        for index in range(3)
        for name, gradient in read_gradients(tmp_path, index, device=CPU).items()
    }
    assert found.keys() == expected.keys()
    for name, gradient in found.items():
        scale = float(expected[name].max())
        assert torch.allclose(gradient.double(), expected[name], rtol=1e-3, atol=1e-5 * scale), name
    left = sorted(file.name for file in tmp_path.iterdir())
    assert left == [f"gradients-{i:03d}.safetensors" for i in range(3)] + [
        "upstream-000.safetensors"
    ]


class _KilledError(Exception):
    pass


def _run(model: Path, out: Path, **output: Any) -> Artifact:
    method = load_method("pruner-zero", {})
    return compress_checkpoint(
        open_checkpoint(str(model)), method, calibration=CUT, output=Output(out, **output)
    )


@pytest.fixture(scope="module")
def whole(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """A run that nobody interrupts."""
    return _run(llama, tmp_path_factory.mktemp("gradients") / "whole")


@pytest.mark.parametrize("after", range(0, 12, 2))
def test_compress_killed_in_the_gradient_pass_resumes_to_the_same_bytes(
    llama: Path, whole: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """The pass writes ten files here: 3 inputs, 1 + 3 upstream, 3 gradients."""
    written: list[str] = []

    def stop(path: Path, tensors: Any) -> Hashes:
        if len(written) == after:
            raise _KilledError
        written.append(path.name)
        return write_tensors(path, tensors)

    with monkeypatch.context() as patch:
        patch.setattr(gradients, "write_tensors", stop)
        if after < 10:
            with pytest.raises(_KilledError):
                _run(llama, tmp_path / "resumed")
        else:
            _run(llama, tmp_path / "resumed")
            assert len(written) == 10
            written.append("no more")
    _run(llama, tmp_path / "resumed", resume=True)
    assert tree_bytes(tmp_path / "resumed") == tree_bytes(whole.path)


def test_collect_gradients_of_a_finished_pass_does_nothing(llama: Path, tmp_path: Path) -> None:
    model = BlockwiseModel(open_checkpoint(str(llama)))
    collect_gradients(model, _windows(llama), directory=tmp_path)
    before = {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    collect_gradients(
        BlockwiseModel(open_checkpoint(str(llama))), _windows(llama), directory=tmp_path
    )
    assert {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == before


def test_collect_gradients_holds_one_block_at_a_time(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = BlockwiseModel(open_checkpoint(str(llama)))
    layers = model._layers
    differentiate, real = BlockwiseModel.differentiate, []

    def spy(self: BlockwiseModel, index: int, *arguments: Any) -> Any:
        weights = [next(layer.parameters()) for layer in layers]
        real.append(
            [place for place, weight in enumerate(weights) if not weight.is_meta] == [index]
        )
        return differentiate(self, index, *arguments)

    monkeypatch.setattr(BlockwiseModel, "differentiate", spy)
    collect_gradients(model, _windows(llama), directory=tmp_path)
    assert real == [True] * 9


def test_compress_pruner_zero_first_block_keeps_the_largest_scores(
    llama: Path, whole: Artifact
) -> None:
    """Per row, |W|² times the gradient mapped to [0, 1] over the matrix; the dense weights stay."""
    gradients_of = _whole_model_gradients(llama, _windows(llama))
    checkpoint = open_checkpoint(str(llama))
    for record in whole.blocks[0].projections:
        weight = checkpoint.tensor(f"model.layers.0.{record.name}.weight").double()
        gradient = gradients_of[f"0.{record.name}.weight"]
        low, high = gradient.min(), gradient.max()
        scores = weight.abs() ** 2 * (gradient - low) / (high - low)
        threshold = scores.kthvalue(record.n // 2 + 1, dim=1, keepdim=True).values
        found = dense_weight(whole.read(0, record.name)).double()
        expected = torch.where(scores >= threshold, weight, 0)
        assert ((found - expected).abs() > 1e-6).double().mean() < 0.002, record.name


def test_relative_gradient_constant_gives_ones_and_missing_is_named() -> None:
    zero = torch.zeros(4)
    statistics = InputStatistics(zero, zero, zero, gradient=torch.full((3, 4), 0.2))
    assert torch.equal(statistics.relative_gradient(), torch.ones(3, 4))
    with pytest.raises(ValueError, match="needs the gradients"):
        InputStatistics(zero, zero, zero).relative_gradient()
