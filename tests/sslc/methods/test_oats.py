"""OATS against its alternation in float64."""

import numpy as np
import pytest

from sslc.methods.oats import Oats
from tests.reference.compression import keep_top_rows, row_budgets
from tests.sslc.problems import small_problem, statistics_of


def test_oats_equals_float64_alternation() -> None:
    weight, inputs = small_problem(24, 20)
    statistics = statistics_of(inputs)
    method = Oats(iterations=5)
    result = method.compress(weight, statistics)
    rank = result.u.shape[1]
    assert rank == int(0.25 * 0.5 * 24 * 20 / 44)
    scale = statistics.scale().double().numpy()
    scaled = weight.double().numpy() * scale
    sparse = np.zeros_like(scaled)
    for _ in range(5):
        left, values, right = np.linalg.svd(scaled - sparse, full_matrices=False)
        low = (left[:, :rank] * values[:rank]) @ right[:rank]
        budgets = row_budgets(240 - rank * 44, 24)
        sparse = (scaled - low) * keep_top_rows(np.abs(scaled - low), budgets)
    whole = (result.sparse + result.u @ result.v.T).numpy()
    assert whole == pytest.approx((sparse + low) / scale, abs=1e-3)
