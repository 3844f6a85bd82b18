"""Cells of ``budgets``: what they are of, what they measured, and tables of those that exist."""

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from docs.programs.pages import ROOT
from sslc.allocation.division import Divided, divide_curves
from sslc.allocation.loss_curves import LossCurve
from sslc.allocation.owl import Owl
from sslc.allocation.shares import PARAMETERS, Hardware, Share
from sslc.calibration.windows import Calibration
from sslc.methods.base import Method
from sslc.methods.registry import load_method
from workloads.results.codec import from_json
from workloads.results.cost_curves import read_cost_curves
from workloads.results.identity import Provenance
from workloads.results.table import Cell, Column, Table
from workloads.support.files import read_json

WINDOWS, WINDOW_TOKENS = 8, 512
MACHINES = ("vitcod",)
FRACTIONS = tuple(round(0.1 * step, 1) for step in range(2, 11))
FOLDER = ROOT / "docs" / "measured" / "budgets"
DIVISIONS: Mapping[str, Hardware | Owl | None] = {
    "uniform": None,
    "owl": Owl(),
    "parameters": Hardware(cost=PARAMETERS, fractions=FRACTIONS),
    "parameters-absolute": Hardware(cost=PARAMETERS, fractions=FRACTIONS, loss="absolute"),
    **{f"cycles-{machine}": Hardware(fractions=FRACTIONS) for machine in MACHINES},
}


@dataclass(frozen=True)
class Setting:
    """What one cell is of.

    Attributes:
        division: One of ``DIVISIONS``.
        kept_fraction: Of uniform, whose costs are the budget.
        seed: Of the calibration windows.
    """

    division: str
    kept_fraction: float = 0.5
    seed: int = 0

    @property
    def stem(self) -> str:
        """Of its file and its artifact."""
        return f"{self.division}-{self.kept_fraction:g}-{self.seed}"

    @property
    def calibration(self) -> Calibration:
        """Windows of the embedded text."""
        return Calibration("embedded", WINDOWS, WINDOW_TOKENS, self.seed)

    @property
    def method(self) -> Method:
        """At the share of uniform."""
        return load_method("wanda", {"kept_fraction": self.kept_fraction})


@dataclass(frozen=True)
class Measured:
    """What a cell measured.

    Attributes:
        setting: What it is of.
        kept: Stored share of the projections' parameters.
        cycles: By machine, of one token, from the cost curves; between their points linear.
        recounted: By machine, simulated with the artifact's own masks.
        fractions: Kept fraction of every projection.
        perplexities: By the name of the text; None of the dense model.
        provenance: Processor, commit and command.
    """

    setting: Setting | None
    kept: float
    cycles: Mapping[str, float]
    recounted: Mapping[str, float]
    fractions: Mapping[str, float]
    perplexities: Mapping[str, float]
    provenance: Provenance


@dataclass(frozen=True)
class Losses:
    """Loss curves of all projections, measured at ``FRACTIONS``.

    Attributes:
        curves: By the projection's name.
        provenance: Where they came from.
    """

    curves: Mapping[str, LossCurve]
    provenance: Provenance


def losses_file(seed: int) -> Path:
    """Where loss curves are."""
    return FOLDER / f"losses-{seed}.json"


def costs_file(machine: str) -> Path:
    """Where cost curves are."""
    return FOLDER / f"costs-{machine}.json"


def read_losses(seed: int) -> dict[str, LossCurve]:
    """Loss curves by projection."""
    curves = read_json(losses_file(seed))["curves"]
    return {
        name: LossCurve(curve["output"], {int(i): e for i, e in curve["errors"].items()})
        for name, curve in curves.items()
    }


def divided(setting: Setting, hardware: Hardware) -> Divided:
    """A budget divided by the curves that were measured; parameters are a cost of every machine."""
    machine = setting.division.partition("-")[2]
    costs = read_cost_curves(costs_file(machine if machine in MACHINES else MACHINES[0]))
    losses = {}
    for name, curve in read_losses(setting.seed).items():
        errors = curve.relative() if hardware.loss == "relative" else curve.errors
        losses[name] = {Share(FRACTIONS[which]): error for which, error in errors.items()}
    return divide_curves(losses, costs, hardware=hardware, method=setting.method)


def table() -> Table:
    """Rows by kept fraction and division; each text's perplexity, a mean over seeds."""
    cells = [read_cell(path) for path in sorted(FOLDER.glob("*.json")) if _is_cell(path)]
    texts = sorted({text for cell in cells for text in cell.perplexities})
    rows: list[tuple[Cell, ...]] = []
    for key in sorted({_row(cell) for cell in cells}):
        members = [cell for cell in cells if _row(cell) == key]
        setting, first = members[0].setting, members[0]
        head: tuple[Cell, ...] = ("dense", None, None)
        if setting is not None:
            head = (setting.division, setting.kept_fraction, len(members))
        cycles = (first.cycles.get(m) for m in MACHINES)
        values = ([c.perplexities[t] for c in members if t in c.perplexities] for t in texts)
        means = (math.exp(statistics.mean(map(math.log, v))) if v else None for v in values)
        rows.append((*head, first.kept, *cycles, first.recounted.get(MACHINES[0]), *means))
    columns = [Column("division"), Column("budget of", ".2g"), Column("seeds", "d")]
    columns += [Column("kept", ".1%"), *(Column(f"cycles, {m}", ",.0f") for m in MACHINES)]
    columns += [Column(f"recounted, {MACHINES[0]}", ",.0f"), *(Column(t, ".2f") for t in texts)]
    devices = sorted({str(cell.provenance.device) for cell in cells})
    return Table("budgets", f"Perplexities, on {', '.join(devices)}", tuple(columns), tuple(rows))


def predicted(seed: int = 0) -> Table:
    """What each division is to lose and cost by the curves, beside uniform at the same fraction."""
    rows: list[tuple[Cell, ...]] = []
    for kept in (0.4, 0.5, 0.6):
        for name, way in DIVISIONS.items():
            if not isinstance(way, Hardware):
                continue
            made = divided(Setting(name, kept, seed), way)
            fractions = {o.pattern: o.settings["kept_fraction"] for o in made.overrides}
            shares = (_cost_ratio(fractions, kept, cost) for cost in ("parameters", "cycles"))
            assert made.uniform_loss
            loss = made.division.loss / made.uniform_loss
            rows.append((name, kept, loss, made.division.gap, *shares))
    columns = (Column("division"), Column("budget of", ".2g"), Column("loss", ".1%"))
    more = (Column("gap", ".3%"), Column("parameters", ".1%"), Column("cycles", ".1%"))
    return Table("predicted", "By the curves, uniform = 100%", (*columns, *more), tuple(rows))


def _cost_ratio(fractions: Mapping[str, float], kept: float, cost: str) -> float:
    """Over what uniform costs, on the first machine."""
    curves, sums = read_cost_curves(costs_file(MACHINES[0])), [0.0, 0.0]
    for name, fraction in fractions.items():
        costs = {p.kept_fraction: p.costs[cost] for p in curves.of(name).points}
        sums[0] += costs[fraction]
        sums[1] += costs[kept]
    return sums[0] / sums[1]


def sensitivity(seed: int = 0) -> Table:
    """Relative loss by kind of projection and by third of the depth, at some kept fractions."""
    curves, shown = read_losses(seed), (0.2, 0.3, 0.5, 0.7, 0.9)
    groups: dict[str, list[list[float]]] = defaultdict(list)
    depth = 1 + max(int(name.split(".")[1]) for name in curves)
    for name, curve in curves.items():
        third = ("first", "middle", "last")[3 * int(name.split(".")[1]) // depth]
        errors = curve.relative()
        row = [errors[FRACTIONS.index(fraction)] for fraction in shown]
        groups[name.rpartition(".")[2]].append(row)
        groups[f"{third} third"].append(row)
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (name, *(statistics.mean(row[i] for row in of) for i in range(len(shown))))
        for name, of in groups.items()
    )
    columns = (Column("projections"), *(Column(f"{fraction:.0%}", ".4f") for fraction in shown))
    return Table("sensitivity", "Mean relative loss at a kept fraction", columns, rows)


def given() -> Table:
    """Mean kept fraction that each division gives each kind of projection."""
    cells = [read_cell(path) for path in sorted(FOLDER.glob("*.json")) if _is_cell(path)]
    divided = [cell for cell in cells if cell.setting is not None]
    kinds = list(dict.fromkeys(n.rpartition(".")[2] for c in divided for n in c.fractions))
    rows: list[tuple[Cell, ...]] = []
    for cell in sorted(divided, key=_row):
        of = {kind: [f for n, f in cell.fractions.items() if n.endswith(kind)] for kind in kinds}
        assert cell.setting is not None
        low, high = min(cell.fractions.values()), max(cell.fractions.values())
        means = (statistics.mean(of[kind]) for kind in kinds)
        rows.append((cell.setting.stem, *means, low, high))
    columns = (Column("cell"), *(Column(kind, ".3f") for kind in (*kinds, "least", "most")))
    return Table("given", "Mean kept fraction by kind of projection", columns, tuple(rows))


def _is_cell(path: Path) -> bool:
    return not path.name.startswith(("losses-", "costs-"))


def read_cell(path: Path) -> Measured:
    """A cell from its file."""
    return from_json(Measured, read_json(path), str(path))


def _row(cell: Measured) -> tuple[float, int]:
    if cell.setting is None:
        return (-2.0, 0)
    return (-cell.setting.kept_fraction, list(DIVISIONS).index(cell.setting.division))
