"""Every candidate multiplies by what it says; what cannot run says why."""

import numpy as np
import pytest
import torch

from reports.measuring.backends import CANDIDATES, Candidate
from reports.measuring.onnx_backend import onnx_available
from reports.measuring.operands import DTYPES, Operands, quantized_dense, synthetic_operands
from reports.measuring.prepared import Setting
from sslc.runtime import features

BY_NAME = {candidate.name: candidate for candidate in CANDIDATES}
TOLERANCE = {"bf16": 2e-2, "fp32": 1e-5, "int8": 3e-2}
"""Of the largest output: bf16 and int8 round weights and x."""


@pytest.fixture(scope="module")
def operands() -> Operands:
    return synthetic_operands(50, 200, kept_fraction=0.5, rank_share=0.1, seed=3)


def _setting(dtype: str, tokens: int) -> Setting:
    return Setting(torch.device("cpu"), dtype, tokens, 1)


def _outputs(candidate: Candidate, operands: Operands, setting: Setting) -> list[torch.Tensor]:
    x = torch.randn(setting.tokens, 200, generator=torch.Generator().manual_seed(0))
    prepared = candidate.prepare(operands, setting, lambda _: 2)
    calls = prepared.calls(x.to(DTYPES[setting.dtype]))
    assert len(calls) == 2
    wanted = x @ operands.weight.T
    made = [torch.as_tensor(np.asarray(_float(call()))) for call in calls]
    return [(y - wanted).abs().max() / wanted.abs().max() for y in made]


def _float(y: object) -> object:
    if isinstance(y, list):
        [y] = y
    return y.float() if isinstance(y, torch.Tensor) else y


@pytest.mark.parametrize("tokens", [1, 3, 20])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["own dense", "torch dense", "kernel cpu", "torch CSR"])
def test_candidate_multiplies_by_the_whole_weight(
    operands: Operands, name: str, dtype: str, tokens: int
) -> None:
    candidate, setting = BY_NAME[name], _setting(dtype, tokens)
    availability = candidate.availability(setting)
    if not availability.available:
        assert len(availability.reason) > 10
        return
    for error in _outputs(candidate, operands, setting):
        assert error < TOLERANCE[dtype]


def test_synthetic_operands_spend_the_budget_and_split_it(operands: Operands) -> None:
    """Half of 10,000: rank 4 takes 4 x 250, S the other 4,000."""
    assert operands.rank == 4
    assert len(operands.values) == operands.mask.nnz == 4000
    sparse = operands.sparse.numpy()
    assert np.array_equal(sparse != 0, operands.mask.unpack())
    assert np.allclose(sparse + operands.u @ operands.v.T, operands.weight.numpy(), atol=1e-5)


def test_quantized_dense_is_within_half_a_step_of_each_weight() -> None:
    weight = np.random.default_rng(0).standard_normal((5, 300)).astype(np.float32)
    numbers, scales = quantized_dense(weight)
    steps = np.repeat(scales, 128, axis=1)[:, :300]
    assert np.all(np.abs(numbers * steps - weight) <= 0.51 * steps + 0.005 * np.abs(weight))


def test_availability_avx2_hidden_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(features.VARIABLE, "none")
    for name in ("own dense", "kernel cpu"):
        availability = BY_NAME[name].availability(_setting("bf16", 1))
        assert (availability.available, availability.reason) == (False, "needs AVX2")


def test_availability_two_of_four_needs_a_gpu() -> None:
    availability = BY_NAME["torch 2:4"].availability(_setting("bf16", 1))
    assert (availability.available, availability.reason) == (False, "needs a CUDA device")


def test_availability_onnx_missing_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    availability = onnx_available(_setting("fp32", 1))
    assert (availability.available, availability.reason) == (
        False,
        "needs onnx: pip install -e '.[onnx]' in the checkout of sslc",
    )
