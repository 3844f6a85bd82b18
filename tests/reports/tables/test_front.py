"""The front of a sweep as a table and a figure: what was measured in the units of its headings."""

from accelerator_sim.design_space.front_figure import front_figure
from tests.reports.page.materials import swept


def test_front_table_and_figure_have_energies_in_microjoules() -> None:
    made = swept(20, work=True)
    table = made.result.to_table()
    names = [column.name for column in table.columns]
    assert names[-3:] == ["Time (s)", "Energy (uJ)", "Knee"]
    assert [row[-2] for row in table.rows][:3] == [11.0, 10.0, 9.0]
    assert made.result.front[0]["energy_pj"] == 11e6
    assert made.points is not None
    axes = front_figure(made.result, made.points.to_pylist()).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Time (s)", "Energy (uJ)")
    assert axes.get_ylim()[1] < 1000
