from pathlib import Path

import pytest
import torch
import transformers

from sslc.allocation.loss_curves import LossCurve, loss_curves
from sslc.allocation.shares import Share, with_share
from sslc.calibration.windows import calibration_windows, load_calibration
from sslc.compression.plan import EVERYTHING
from sslc.compression.preparation import prepare
from sslc.methods.registry import load_method
from sslc.model.opening import open_checkpoint
from tests.sslc.making import CUT
from workloads.support.errors import InputError

SHARES = (Share(0.3), Share(0.6), Share(1.0))
NAMES = {0: ["self_attn.k_proj"], 2: ["mlp.down_proj", "self_attn.o_proj"]}


def measured(model: Path, *, method: str = "wanda", workers: int = 1) -> dict[str, LossCurve]:
    checkpoint, named = open_checkpoint(str(model)), load_method(method, {})
    return loss_curves(
        checkpoint,
        prepare(checkpoint, named, dtype="auto", device=None, choice=EVERYTHING),
        [with_share(named, share) for share in SHARES],
        names=NAMES, calibration=CUT, workers=workers,
    )  # fmt: skip


def inputs_of(model: Path, names: list[str]) -> tuple[dict[str, torch.Tensor], torch.nn.Module]:
    """Float64 inputs of projections, from transformers' own model in float64."""
    lm = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=torch.float64)
    seen: dict[str, torch.Tensor] = {}

    def hook(name: str):  # type: ignore[no-untyped-def]
        def look(_module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            seen[name] = inputs[0].flatten(0, 1)

        return look

    for name in names:
        lm.get_submodule(f"model.{name}").register_forward_pre_hook(hook(name))
    checkpoint = open_checkpoint(str(model))
    with torch.no_grad():
        lm(calibration_windows(checkpoint, load_calibration(checkpoint, CUT), calibration=CUT))
    return seen, lm


def pruned(weight: torch.Tensor, norms: torch.Tensor, fraction: float) -> torch.Tensor:
    """Wanda by sorting each row; ⌊nonzeros/m⌋ of it, one more in the first rows."""
    m, n = weight.shape
    base, extra = divmod(int(round(fraction, 6) * m * n + 1e-9), m)
    result = torch.zeros_like(weight)
    for row, scores in enumerate(weight.abs() * norms):
        places = scores.argsort(descending=True)[: base + (row < extra)]
        result[row, places] = weight[row, places]
    return result


def test_losses_are_those_of_a_direct_computation_in_float64(llama: Path) -> None:
    found = measured(llama)
    names = [f"layers.{index}.{name}" for index, of in NAMES.items() for name in of]
    assert [*found] == names
    inputs, lm = inputs_of(llama, names)
    for name, curve in found.items():
        weight, x = lm.get_parameter(f"model.{name}.weight").detach(), inputs[name]
        assert curve.output == pytest.approx(float((x @ weight.T).square().sum()), rel=1e-4)
        for which, share in enumerate(SHARES):
            lost = weight - pruned(weight, x.norm(dim=0), share.kept_fraction)
            expected = float((x @ lost.T).square().sum())
            assert curve.errors[which] == pytest.approx(expected, rel=1e-3, abs=1e-9), name
            assert curve.relative()[which] == pytest.approx(
                curve.errors[which] / curve.output, abs=1e-12
            )
        assert curve.errors[0] > curve.errors[1] > curve.errors[2]


def test_workers_change_no_value(llama: Path) -> None:
    assert measured(llama) == measured(llama, workers=3)


def test_shares_that_do_not_fit_a_shape_are_left_out(llama: Path) -> None:
    checkpoint, named = open_checkpoint(str(llama)), load_method("sslc", {"iterations": 2})
    shares = (Share(0.05, 0.3), Share(0.5, 0.3))  # factors alone would exceed the first
    found = loss_curves(
        checkpoint,
        prepare(checkpoint, named, dtype="auto", device=None, choice=EVERYTHING),
        [with_share(named, share) for share in shares],
        names={0: ["mlp.up_proj"]}, calibration=CUT,
    )  # fmt: skip
    assert [*found["layers.0.mlp.up_proj"].errors] == [1]


def test_method_that_needs_gradients_is_refused(llama: Path) -> None:
    with pytest.raises(InputError, match="pruner-zero needs gradients"):
        measured(llama, method="pruner-zero")
