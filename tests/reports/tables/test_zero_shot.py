import dataclasses

import pytest

from reports.tables.zero_shot import zero_shot_table
from tests.workloads.results.results import zero_shot
from workloads.results.kinds import Metric
from workloads.results.table import to_dict


def test_zero_shot_table_mean_is_over_the_tasks_of_a_model() -> None:
    second = dataclasses.replace(zero_shot(task="boolq"), metrics=(Metric("acc", 0.7, 0.1),))
    rows = to_dict(zero_shot_table([zero_shot(), second]))["rows"]
    assert [row["Task"] for row in rows] == ["piqa", "boolq", "mean of 2 tasks"]
    assert rows[-1]["Value"] == pytest.approx(0.6)


def test_zero_shot_table_a_task_with_two_limits_has_no_mean_and_two_rows() -> None:
    first = zero_shot()
    limited = dataclasses.replace(first, identity=dataclasses.replace(first.identity, limit=5))
    rows = to_dict(zero_shot_table([first, limited]))["rows"]
    assert len(rows) == 2
