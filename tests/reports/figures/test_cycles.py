from pathlib import Path

from accelerator_sim.models.cycles_figure import cycles_figure
from reports.figures.stalls import stalls_figure
from reports.figures.style import write_figure
from tests.accelerator_sim.machines import projection, random_mask
from tests.reports.results import cycles, cycles_of


def test_figures_are_written_as_png_and_svg(tmp_path: Path) -> None:
    event = cycles("event", 0.3, 0.6)
    write_figure(cycles_figure([cycles("roofline", 0.3, 0.6), event]), tmp_path, "cycles")
    write_figure(stalls_figure(event), tmp_path, "stalls")
    for name in ("cycles", "stalls"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (tmp_path / f"{name}.svg").read_text()


def test_stalls_figure_legend_names_only_what_occurs() -> None:
    event = cycles("event", 0.5)
    runs = [p for b in event.blocks for p in b.projections]
    accounts = [
        account
        for p in runs
        for run in (p.dense_run, p.sum_run)
        if run is not None
        for account in (run.denser, run.sparser)
    ]
    labels = [text.get_text() for text in stalls_figure(event).legends[0].get_texts()]
    assert ("waiting for weights" in labels) == any(account.weights for account in accounts)
    assert ("waiting for output space" in labels) == any(a.output_space for a in accounts)
    assert "compute" in labels


def test_cycles_figure_has_one_scale_and_no_legend_entry_that_does_not_occur() -> None:
    blocks = [[projection(random_mask(8, 16, 0.5, seed=1), rank=0)]]
    figure = cycles_figure([cycles_of(model, blocks) for model in ("published", "event")])
    limits = {axes.get_ylim() for axes in figure.axes}
    assert len(limits) == 1
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["dense", "sparse"]
