"""What a report is made from: sweeps with their points, artifacts where they are."""

from pathlib import Path

import pytest

from reports.stored.files import save_result
from reports.stored.material import gather
from tests.reports.page.materials import swept
from workloads.support.errors import InputError
from workloads.support.shards import table_bytes


def test_gather_reads_the_points_of_a_sweep_and_refuses_others(tmp_path: Path) -> None:
    made = swept(40)
    save_result(tmp_path, made.result)
    assert gather([tmp_path]).sweeps[0].points is None
    (tmp_path / "shards").mkdir()
    shard = tmp_path / "shards" / "000000.parquet"
    shard.write_bytes(table_bytes(made.points))
    [found] = gather([tmp_path]).sweeps
    assert found.points is not None
    assert found.points.equals(made.points)
    shard.write_bytes(table_bytes(swept(39).points))
    with pytest.raises(InputError, match="39 points, not the 40"):
        gather([tmp_path])
    shard.write_bytes(b"PAR1")
    with pytest.raises(InputError, match="not a whole table"):
        gather([tmp_path])
