"""Cells of ``budgets``: what they are of, what they measured, and tables of those that exist."""

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from docs.programs.pages import ROOT
from sslc.allocation.owl import Owl
from sslc.allocation.shares import PARAMETERS, Hardware
from sslc.calibration.windows import Calibration
from sslc.methods.base import Method
from sslc.methods.registry import load_method
from workloads.results.codec import from_json
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


def sensitivity(seed: int = 0) -> Table:
    """Relative loss by kind of projection and by third of the depth, at some kept fractions."""
    value = read_json(FOLDER / f"losses-{seed}.json")["curves"]
    shown = [0.2, 0.3, 0.5, 0.7, 0.9]
    groups: dict[str, list[list[float]]] = defaultdict(list)
    depth = 1 + max(int(name.split(".")[1]) for name in value)
    for name, curve in value.items():
        index, last = int(name.split(".")[1]), name.rpartition(".")[2]
        third = ("first", "middle", "last")[3 * index // depth]
        errors = curve["errors"]
        row = [errors[str(FRACTIONS.index(f))] / curve["output"] for f in shown]
        groups[last].append(row)
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
