"""Cost curves as a table: one row for each projection and share."""

from workloads.results.cost_curves import CostCurve, CostCurves
from workloads.results.table import Cell, Column, Table


def costs_table(curves: CostCurves) -> Table:
    """What each projection costs at each share, and dense.

    Args:
        curves: Those of one machine.
    """
    names = list(curves.curves[0].dense) if curves.curves else []
    columns = (Column("Projection"), Column("Kept", ".3g"), Column("Rank share", ".3g"))
    costs = tuple(Column(name.replace("_", " "), ",.0f") for name in names)
    rows = [row for curve in curves.curves for row in _rows(curve, names)]
    machine = curves.about.get("machine")
    about = machine.get("label", "a machine") if isinstance(machine, dict) else "a machine"
    return Table("cost-curves", f"Costs on {about}", (*columns, *costs), tuple(rows))


def _rows(curve: CostCurve, names: list[str]) -> list[tuple[Cell, ...]]:
    points: list[tuple[Cell, ...]] = [
        (curve.pattern, p.kept_fraction, p.rank_share, *(p.costs[name] for name in names))
        for p in curve.points
    ]
    return [*points, (f"{curve.pattern}, dense", None, None, *(curve.dense[n] for n in names))]
