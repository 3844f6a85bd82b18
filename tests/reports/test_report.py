"""From stored results to tables, figures and a page."""

from pathlib import Path

from accelerator_sim import simulate_attention
from accelerator_sim.attention.vision import HeadMasks
from accelerator_sim.models.by_name import Model
from reports.report import gather, report_tables, write_report
from reports.stored.files import save_result
from tests.accelerator_sim.machines import projection, random_mask, small_machine
from tests.reports.results import cycles, cycles_of
from tests.workloads.results.results import perplexity
from workloads.masks.head_masks import HeadMask
from workloads.masks.packed import PackedMask
from workloads.shapes.attention import VitShape


def test_write_report_compiled_results_have_the_cycles_of_event_and_a_stalls_figure(
    tmp_path: Path,
) -> None:
    blocks = [[projection(random_mask(8, 16, 0.5, seed=1), rank=2)]]
    event, compiled = (cycles_of(m, blocks, machine=small_machine()) for m in ("event", "compiled"))
    assert compiled.basis == "simulated (compiled)"
    assert compiled.mean_per_block == event.mean_per_block
    save_result(tmp_path / "a", compiled)
    paths = write_report(gather([tmp_path / "a"]), [], tmp_path / "out")
    assert paths[0] == tmp_path / "out" / "index.html"
    stalls = [path.name for path in paths if path.name.startswith("stalls-wanda-")]
    assert sorted(name.rpartition(".")[2] for name in stalls) == ["png", "svg"]


def test_report_tables_take_every_kind_of_every_directory(tmp_path: Path) -> None:
    for folder, density in (("a", 0.5), ("b", 0.25)):
        save_result(tmp_path / folder, perplexity())
        save_result(tmp_path / folder, cycles("roofline", density))
    tables = report_tables([tmp_path / "a", tmp_path / "b"])
    assert {table.name: len(table.rows) for table in tables} == {"perplexity": 2, "speedup": 2}


def test_report_tables_attention_has_a_table_for_each_machine_with_all_its_models(
    tmp_path: Path,
) -> None:
    mask = HeadMask("h", PackedMask.pack(random_mask(16, 16, 0.4, seed=0)), 1)
    shape = VitShape("tiny", layers=1, tokens=16, heads=1, head_dim=8)
    asked: dict[int, tuple[Model, ...]] = {2: ("published", "roofline"), 4: ("roofline",)}
    for lines, models in asked.items():
        masks = HeadMasks("drawn", (mask,))
        for result in simulate_attention(shape, masks, models=models, overrides={"lines": lines}):
            save_result(tmp_path, result)
    tables = report_tables([tmp_path])
    assert len({table.name for table in tables}) == 2
    bases = {table.title[-7:]: {row[1] for row in table.rows} for table in tables}
    assert bases == {
        "lines=2": {"analytic (published)", "analytic (roofline)"},
        "lines=4": {"analytic (roofline)"},
    }
