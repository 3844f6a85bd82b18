"""The whole model trained on the dense model's logits: against transformers, and resumed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

import sslc
from sslc.calibration.windows import Calibration, calibration_windows, load_calibration
from sslc.compression.output import Output
from sslc.compression.plan import Choice
from sslc.methods.registry import load_method
from sslc.model.blocks import BlockwiseModel
from sslc.model.opening import open_checkpoint
from sslc.recovery.refined import compress_and_refine
from sslc.refinement.distillation import teacher_states, trainable_model
from sslc.refinement.stages import BlockMatching, LogitDistillation, Refinement
from tests.sslc.making import SONNETS, make_artifact, tree_bytes
from workloads.artifact.read import Artifact, open_artifact
from workloads.artifact.write import ArtifactWriter
from workloads.support.errors import InputError
from workloads.support.progress import Progress, silent

CUT = Calibration(str(SONNETS), windows=2, window_tokens=32)
QUICK = LogitDistillation(steps=8, windows=3, learning_rate=3e-3, warmup_steps=2)


def _run(
    model: Path,
    out: Path,
    refinement: Refinement,
    *,
    method: str = "sslc",
    choice: Choice | None = None,
    progress: Progress = silent,
    **output: Any,
) -> Artifact:
    return compress_and_refine(
        open_checkpoint(str(model)), load_method(method, {}), calibration=CUT,
        output=Output(out, **output), refinement=refinement, progress=progress,
        choice=choice or Choice(),
    )  # fmt: skip


def _divergence(model: Any, dense: Any, window: torch.Tensor) -> torch.Tensor:
    """KL(dense ‖ compressed), mean over positions, by transformers' own logits."""
    with torch.no_grad():
        wanted = dense(window[None]).logits[0].log_softmax(-1)
    found = model(window[None]).logits[0].log_softmax(-1)
    loss: torch.Tensor = (wanted.exp() * (wanted - found)).sum(-1).mean()
    return loss


def test_one_step_is_adam_along_the_gradient_of_the_divergence(qwen: Path, tmp_path: Path) -> None:
    """Adam's first step is the learning rate times the gradient's sign, where it is not tiny."""
    settings = LogitDistillation(
        steps=1, windows=1, learning_rate=1e-3, warmup_steps=0, products="float32"
    )
    before = make_artifact(qwen, tmp_path / "before")
    after = _run(qwen, tmp_path / "after", Refinement(logits=settings))
    checkpoint = open_checkpoint(str(qwen))
    drawn = replace(CUT, windows=1)
    text = load_calibration(checkpoint, drawn)
    [window] = calibration_windows(checkpoint, text, calibration=drawn)
    dense = AutoModelForCausalLM.from_pretrained(qwen, dtype=torch.float32)
    model, layers = trainable_model(before)
    loss = _divergence(model, dense, window)
    loss.backward()  # type: ignore[no-untyped-call]
    assert after.training_loss["first"] == pytest.approx(loss.item(), rel=1e-4)
    assert len(layers) == 21
    trained, _ = trainable_model(after)
    for name, layer in layers.items():
        new = trained.get_submodule(name)
        assert torch.equal(new.mask, layer.mask)
        for part in ("u", "v"):
            gradient = getattr(layer, part).grad
            moved = getattr(new, part) - getattr(layer, part)
            clear = gradient.abs() > 1e-5
            assert clear.any()
            assert torch.allclose(moved[clear], -1e-3 * gradient.sign()[clear], atol=1e-5)
        gradient = layer.sparse.grad
        assert gradient is not None
        assert not gradient[~layer.mask].any()
        assert not new.sparse[~layer.mask].any()
        clear = layer.mask & (gradient.abs() > 1e-5)
        moved = (new.sparse - layer.sparse)[clear]
        assert torch.allclose(moved, -1e-3 * gradient.sign()[clear], atol=1e-5)


@pytest.mark.parametrize("method", ["sslc", "wanda"])
def test_distilled_model_is_nearer_and_has_the_same_masks_and_budget(
    llama: Path, tmp_path: Path, method: str
) -> None:
    choice = Choice(exclude=("k_proj",))
    before = _run(llama, tmp_path / "before", Refinement(), method=method, choice=choice)
    longer = replace(QUICK, steps=30, batch_windows=2)
    after = _run(llama, tmp_path / "a", Refinement(logits=longer), method=method, choice=choice)
    after.verify()
    assert after.training_loss["last"] < 0.8 * after.training_loss["first"]
    assert after.settings.method_name == f"{method} + logits"
    assert after.settings.refinement["logits"]["steps"] == 30
    for index, block in enumerate(before.blocks):
        for old, new in zip(block.projections, after.blocks[index].projections, strict=True):
            was, now = before.read(index, old.name), after.read(index, new.name)
            assert was.mask.bits.tobytes() == now.mask.bits.tobytes()
            dense = old.name.endswith("k_proj")
            assert (was.values.tobytes() == now.values.tobytes()) == dense
            expected = old if dense else replace(old, scaled_error=None)
            assert new == expected
    assert (before.path / "rest.safetensors").read_bytes() == (
        after.path / "rest.safetensors"
    ).read_bytes()
    teacher = AutoModelForCausalLM.from_pretrained(llama, dtype=torch.float32)
    checkpoint = open_checkpoint(str(llama))
    windows = calibration_windows(checkpoint, load_calibration(checkpoint, CUT), calibration=CUT)
    with torch.no_grad():
        losses = [
            float(sum(_divergence(sslc.load(each.path), teacher, window) for window in windows))
            for each in (before, after)
        ]
    assert losses[1] < 0.8 * losses[0]


def test_teacher_states_give_the_dense_models_logits(qwen: Path, tmp_path: Path) -> None:
    windows = torch.arange(48).reshape(2, 24)
    states = teacher_states(BlockwiseModel(open_checkpoint(str(qwen))), windows, work=tmp_path)
    model = AutoModelForCausalLM.from_pretrained(qwen, dtype=torch.float32)
    with torch.no_grad():
        assert torch.allclose(
            model.lm_head(model.model.norm(states)), model(windows).logits, atol=1e-4
        )


class _KilledError(Exception):
    pass


def _stop_at(stage: str, step: int) -> Progress:
    def progress(named: str, done: int, _total: int) -> None:
        if (named, done) == (stage, step):
            raise _KilledError

    return progress


def test_both_stages_stopped_anywhere_and_resumed_are_byte_identical(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in a block, between checkpoints of the training, and while blocks are written."""
    both = Refinement(BlockMatching(epochs=1, norms=True), replace(QUICK, batch_windows=2))
    whole = _run(llama, tmp_path / "whole", both)
    for stage, step in (("compress (sslc)", 1), ("distil", 3), ("distil", 7)):
        with pytest.raises(_KilledError):
            _run(llama, tmp_path / "a", both, progress=_stop_at(stage, step), resume=True)
    write = ArtifactWriter.write_block

    def stop(writer: ArtifactWriter, *arguments: Any) -> None:
        if len(writer.blocks) == 1 and writer.target.name == "a":
            raise _KilledError
        write(writer, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(ArtifactWriter, "write_block", stop)
        with pytest.raises(_KilledError):
            _run(llama, tmp_path / "a", both, resume=True)
    with pytest.raises(InputError, match="--resume continues it, --overwrite starts again"):
        _run(llama, tmp_path / "a", both)
    with pytest.raises(InputError, match="made with another refinement"):
        _run(llama, tmp_path / "a", Refinement(logits=QUICK), resume=True)
    told: list[tuple[str, int]] = []
    again = _run(
        llama, tmp_path / "a", both, progress=lambda name, done, _: told.append((name, done)),
        resume=True,
    )  # fmt: skip
    assert [done for name, done in told if name == "distil"] == [8]
    assert tree_bytes(again.path) == tree_bytes(whole.path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "whole"]
    assert _run(llama, tmp_path / "a", both, progress=_stop_at("distil", 0), resume=True) == again
    replaced = _run(llama, tmp_path / "a", Refinement(logits=QUICK), overwrite=True)
    assert open_artifact(tmp_path / "a") == replaced != again


def test_distillation_that_diverges_is_named(llama: Path, tmp_path: Path) -> None:
    wild = Refinement(logits=replace(QUICK, learning_rate=1e30))
    with pytest.raises(InputError, match=r"not finite .*smaller logits.learning_rate"):
        _run(llama, tmp_path / "a", wild)
