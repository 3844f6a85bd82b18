"""What ``docs/measured`` keeps is read as it is written there."""

import json
from pathlib import Path

import pytest

from reports.stored.measured_files import Recorded, read_recorded
from reports.tables.recorded import recorded_tables
from tests.workloads.results.results import runtime
from workloads.results.envelope import result_to_json
from workloads.results.table import to_dict
from workloads.support.errors import InputError

MEASURED = Path(__file__).parents[3] / "docs" / "measured"


def _read(name: str) -> Recorded:
    recorded = read_recorded(MEASURED / name)
    assert isinstance(recorded, Recorded)
    return recorded


def test_read_recorded_gpu_names_device_and_driver_and_keeps_every_module() -> None:
    recorded = _read("nvidia-h100-80gb-hbm3.json")
    whole = json.loads((MEASURED / "nvidia-h100-80gb-hbm3.json").read_text())
    assert recorded.label == f"NVIDIA H100 80GB HBM3, driver {whole['device']['driver']}"
    assert len(recorded.products) == len(whole["projections"]["modules"])
    first, row = recorded.products[0], whole["projections"]["modules"][0]
    assert (first.seconds, first.speedup) == (row["seconds"], row["speedup"])
    assert {one.blocks for one in recorded.generations} == {4, 32}


def test_read_recorded_cpu_keeps_compressed_products() -> None:
    recorded = _read("amd-epyc-zen5.json")
    assert recorded.driver is None
    assert {one.dtype for one in recorded.products} == {"bf16", "int8"}
    assert min(one.sparsity for one in recorded.products) > 0


def test_recorded_tables_stand_sparsities_beside_each_other() -> None:
    """From the file: 11008x4096, S alone, avx512bf16, one token and thread."""
    products, generation = recorded_tables(
        [_read("amd-epyc-zen5.json"), _read("nvidia-h100-80gb-hbm3.json")]
    )
    rows = to_dict(products)["rows"]
    found = {"Part": "11008x4096", "Runs": "S alone", "Dtype": "bf16", "Tokens": 1, "Threads": 1,
             "Backend": "avx512bf16"}  # fmt: skip
    [row] = [row for row in rows if found.items() <= row.items()]
    assert [round(row[name], 2) for name in ("50%", "60%", "70%")] == [1.74, 2.15, 2.51]
    assert len(to_dict(generation)["rows"]) == 18


def test_read_recorded_takes_a_result_of_measure(tmp_path: Path) -> None:
    path = tmp_path / "runtime.json"
    path.write_text(json.dumps(result_to_json(runtime())))
    assert read_recorded(path) == runtime()


@pytest.mark.parametrize(
    ("value", "message"),
    [([], "not a measurement"), ({"a": 1}, "not a measurement"), ({"projections": {}}, "not whole"),
     ({"cpu": "x", "results": [{}]}, "not whole")],
)  # fmt: skip
def test_read_recorded_other_files_are_one_sentence(
    tmp_path: Path, value: object, message: str
) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(value))
    with pytest.raises(InputError, match=message):
        read_recorded(path)
