"""The compiled model in reports: chosen by name, never beside the event model that it repeats."""

import dataclasses
from pathlib import Path

import pytest

from reports.commands.options import cycle_models
from reports.report import write_report
from reports.stored.files import Subject, save_result
from reports.tables.cycles import cycles_result
from tests.accelerator_sim.machines import block_by
from tests.accelerator_sim.test_projection import busy_machine, busy_projection
from workloads.support.errors import InputError


def test_cycle_models_all_leaves_out_compiled_which_has_a_name() -> None:
    assert cycle_models("all") == ("published", "roofline", "event")
    assert cycle_models("compiled") == ("compiled",)
    with pytest.raises(InputError, match="did you mean compiled"):
        cycle_models("compile")


def test_write_report_compiled_results_have_the_cycles_of_event_and_a_stalls_figure(
    tmp_path: Path,
) -> None:
    item = busy_projection()
    items = [item, dataclasses.replace(item, gemm=dataclasses.replace(item.gemm, module="FFN"))]
    subject = Subject("m", "sslc", 0.5, "synthetic")
    event, compiled = (
        cycles_result(subject, "small", 3, [block_by(model, items, busy_machine())])
        for model in ("event", "compiled")
    )
    assert compiled["provenance"] == "simulated (compiled)"
    assert compiled["mean_per_block"] == event["mean_per_block"]
    save_result(tmp_path / "a", "cycles-compiled", compiled)
    names = {path.name for path in write_report([tmp_path / "a"], [], tmp_path / "out")}
    assert "stalls-a-small-3.svg" in names
