import dataclasses

import numpy as np
import pytest

from reports.figures.rooflines import side_by_side_figure
from reports.tables.side_by_side import pair_up, side_by_side_table
from tests.reports.results import SUBJECT, cycles
from tests.workloads.results.results import projection_runtime, runtime
from workloads.results.table import to_dict


def test_side_by_side_table_has_the_simulated_and_the_measured_speedup() -> None:
    simulated = [cycles(name, 0.5) for name in ("event", "published", "roofline")]
    measured = runtime(SUBJECT, (projection_runtime(1, 3e-6, 2e-6, module="MHA"),))
    rows = to_dict(side_by_side_table(pair_up(simulated, [measured])))["rows"]
    assert [row["Number is"] for row in rows] == [
        "analytic (published)",
        "analytic (roofline)",
        "simulated (event)",
        "measured (bf16, kernel cpu)",
    ]
    event = simulated[0].mean_per_block["MHA"].speedup
    assert rows[2]["Speedup"] == event
    assert rows[3]["Speedup"] == pytest.approx(1.5)
    assert rows[3]["On"] == "a CPU, 2 threads, avx2"


def test_pair_up_other_model_or_tokens_do_not_stand_together() -> None:
    simulated = [cycles("roofline", 0.5)]
    other = dataclasses.replace(SUBJECT, sha256="ef" * 32)
    assert pair_up(simulated, [runtime(other)]) == []
    assert pair_up(simulated, [runtime(SUBJECT, (projection_runtime(2, 1e-6, 1e-6),))]) == []


def test_side_by_side_figure_draws_each_product_under_both_rooflines() -> None:
    """Two products by each of two models on the simulated machine; two on the measured one."""
    simulated = [cycles(name, 0.5) for name in ("roofline", "event")]
    [pair] = pair_up(
        simulated, [runtime(SUBJECT, (projection_runtime(1, 3e-6, 2e-6, module="MHA"),))]
    )
    bars, left, right = side_by_side_figure(pair).axes
    assert len(bars.containers) == 3
    for axes, count in ((left, 4), (right, 2)):
        points = [line for line in axes.lines if line.get_marker() in ("o", "s")]
        assert len(points) == count
    roof, *points = left.lines
    xs, ys = (np.asarray(data) for data in (roof.get_xdata(), roof.get_ydata()))
    for point in points:
        [x], [y] = np.asarray(point.get_xdata()), np.asarray(point.get_ydata())
        assert y <= 1.01 * np.exp(np.interp(np.log(x), np.log(xs), np.log(ys)))
