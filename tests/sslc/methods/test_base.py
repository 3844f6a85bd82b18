"""What holds for every registered method."""

import dataclasses

import pytest
import torch

from sslc.methods.registry import METHODS, QUANTIZERS, describe, load_method
from tests.sslc.problems import (
    correlated_inputs,
    small_case,
    statistics_of,
    with_gradient,
)

LOW_RANK_ONLY = {"svd", "svd-llm"}
SHAPES = [(48, 32), (32, 96), (17, 29)]
COMPRESSORS = sorted(METHODS.keys() - QUANTIZERS.keys())
"""Methods with a budget; the others keep every entry."""

each_method = pytest.mark.parametrize("name", COMPRESSORS)
each_shape = pytest.mark.parametrize(("m", "n"), SHAPES)


@each_method
@each_shape
@pytest.mark.parametrize("kept", [0.3, 0.5, 0.71])
def test_method_budget_is_met_exactly(name: str, m: int, n: int, kept: float) -> None:
    weight, statistics = small_case(m, n)
    result = load_method(name, {"kept_fraction": kept}).compress(weight, statistics)
    rank = result.u.shape[1]
    assert result.u.shape == (m, rank)
    assert result.v.shape == (n, rank)
    spare = int(kept * m * n) - int(result.mask.sum()) - rank * (m + n)
    assert 0 <= spare < (m + n if name in LOW_RANK_ONLY else 1)
    assert (result.sparse[~result.mask] == 0).all()


@each_method
@each_shape
def test_method_is_deterministic_and_leaves_input(name: str, m: int, n: int) -> None:
    weight, statistics = small_case(m, n)
    before = weight.clone(), statistics.norms.clone()
    method = load_method(name, {})
    first, second = (method.compress(weight, statistics) for _ in range(2))
    for field in dataclasses.fields(first):
        assert torch.equal(getattr(first, field.name), getattr(second, field.name))
    assert torch.equal(weight, before[0])
    assert torch.equal(statistics.norms, before[1])


@each_method
@pytest.mark.parametrize(
    "kind",
    ["zero channels", "all channels zero", "zero rows", "zero columns", "zero", "constant"],
)
def test_method_degenerate_input_gives_finite_exact_budget(name: str, kind: str) -> None:
    weight, _ = small_case(24, 40)
    inputs = correlated_inputs(40, torch.Generator().manual_seed(1))
    if kind == "zero channels":
        inputs[:5] = 0
    elif kind == "all channels zero":
        inputs[:] = 0
    elif kind == "zero rows":
        weight[3:7] = 0
    elif kind == "zero columns":
        weight[:, 10:15] = 0
    else:
        weight[:] = 0.25 if kind == "constant" else 0.0
    generator = torch.Generator().manual_seed(2)
    statistics = with_gradient(statistics_of(inputs), weight, generator)
    result = load_method(name, {}).compress(weight, statistics)
    spare = 480 - int(result.mask.sum()) - result.u.shape[1] * 64
    assert 0 <= spare < (64 if name in LOW_RANK_ONLY else 1)
    for field in dataclasses.fields(result):
        assert torch.isfinite(getattr(result, field.name).float()).all()


@pytest.mark.parametrize("name", sorted(set(COMPRESSORS) - LOW_RANK_ONLY))
def test_method_everything_kept_gives_the_weight_back(name: str) -> None:
    weight, statistics = small_case(20, 30)
    result = load_method(name, {"kept_fraction": 1.0}).compress(weight, statistics)
    kept = result.mask
    assert torch.allclose((result.sparse + result.u @ result.v.T)[kept], weight[kept], atol=1e-4)


@pytest.mark.parametrize("name", sorted(n for n in METHODS if "group" in describe(n).settings))
@pytest.mark.parametrize("group", ["2:4", "4:8"])
def test_method_pattern_is_obeyed(name: str, group: str) -> None:
    weight, statistics = small_case(32, 64)
    with_factors = "rank_share" in describe(name).settings
    settings = {"kept_fraction": 0.5625 if with_factors else 0.5, "group": group}
    result = load_method(name, settings).compress(weight, statistics)
    keep, of = map(int, group.split(":"))
    assert (result.mask.reshape(-1, of).sum(dim=1) == keep).all()
    assert result.u.shape[1] == (1 if with_factors else 0)
