from pathlib import Path

import pytest
import torch
import transformers

from sslc.allocation.owl import Owl, outlier_share, owl_overrides
from sslc.calibration.windows import calibration_windows, load_calibration
from sslc.compression.plan import EVERYTHING, Choice
from sslc.methods.registry import load_method
from sslc.model.opening import open_checkpoint
from tests.sslc.making import CUT
from workloads.support.errors import InputError


def test_three_blocks_by_hand() -> None:
    # (0, 0.5, 1) of the width 0.2, less the mean of 0.1, around 0.5
    found = Owl(width=0.2).fractions((0.01, 0.02, 0.03), (100, 100, 100), 0.5)
    assert found == pytest.approx((0.4, 0.5, 0.6))


def test_mean_is_over_parameters_not_over_blocks() -> None:
    parameters = (100, 300)
    found = Owl(width=0.2).fractions((0.0, 0.1), parameters, 0.5)
    assert found == pytest.approx((0.35, 0.55))
    assert sum(f * p for f, p in zip(found, parameters, strict=True)) == pytest.approx(200)


def test_equal_shares_divide_nothing() -> None:
    assert Owl().fractions((0.03, 0.03), (7, 9), 0.4) == (0.4, 0.4)


def test_fractions_outside_zero_to_one_are_refused() -> None:
    with pytest.raises(InputError, match=r"smaller width than 0\.16"):
        Owl().fractions((0.0, 1.0), (1, 1), 0.95)


def test_outliers_are_counted_over_all_matrices_together() -> None:
    # mean (8 + 16) / 8 = 3, so above 6: one of eight; apart it would be none of four
    scores = [torch.full((2, 2), 2.0), torch.tensor([[7.0, 3.0], [3.0, 3.0]])]
    assert outlier_share(scores, 2.0) == 1 / 8
    assert outlier_share(scores[1:], 2.0) == 0


def published_program(model: Path, windows: torch.Tensor, *, times: float) -> list[float]:
    """Shares by transformers' own model and whole concatenated scores, as the authors count."""
    lm = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    shares, squares = [], {}

    def hook(name: str):  # type: ignore[no-untyped-def]
        def look(_module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            squares[name] = inputs[0].flatten(0, 1).double().square().sum(0)

        return look

    for name, module in lm.model.layers.named_modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_pre_hook(hook(name))
    with torch.no_grad():
        lm(windows)
    for index in range(len(lm.model.layers)):
        every = torch.cat(
            [
                (module.weight.double().abs() * squares[name].sqrt()).flatten()
                for name, module in lm.model.layers.named_modules()
                if name in squares and name.startswith(f"{index}.")
            ]
        )
        shares.append(float((every > times * every.mean()).double().mean()))
    return shares


def test_overrides_are_those_of_shares_counted_by_another_program(llama: Path) -> None:
    checkpoint = open_checkpoint(str(llama))
    method = load_method("wanda", {"kept_fraction": 0.6})
    owl = Owl(outliers=2, width=0.1)
    found = owl_overrides(checkpoint, method, owl=owl, calibration=CUT, choice=EVERYTHING)
    windows = calibration_windows(checkpoint, load_calibration(checkpoint, CUT), calibration=CUT)
    expected = owl.fractions(published_program(llama, windows, times=2), (1, 1, 1), 0.6)
    assert [each.pattern for each in found] == ["layers.0.*", "layers.1.*", "layers.2.*"]
    fractions = [each.settings["kept_fraction"] for each in found]
    assert fractions == pytest.approx(expected, abs=1e-4)
    assert max(fractions) - min(fractions) == pytest.approx(0.1)


def test_blocks_that_stay_dense_take_no_part(llama: Path) -> None:
    found = owl_overrides(
        open_checkpoint(str(llama)), load_method("wanda", {}), owl=Owl(), calibration=CUT,
        choice=Choice(include=("layers.2.*", "layers.0.self_attn.*")),
    )  # fmt: skip
    assert [each.pattern for each in found] == ["layers.0.*", "layers.2.*"]
