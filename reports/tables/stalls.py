"""Where the cycles of a block go, by reason: parts that add up to its cycles."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from accelerator_sim.models.cycles_result import SIMULATED, CyclesResult, module_label
from reports.tables.explained import RUN_NAMES, RunField, runs_of
from reports.tables.labels import columns, cycle_differences, cycle_labels, split
from workloads.results.table import Cell, Column, Table
from workloads.shapes.gemm import MODULES, Module

REASONS = {
    "compute": "compute",
    "imbalance": "imbalance",
    "index_decode": "index decode",
    "gather": "gathers",
    "weights": "waiting for weights",
    "activations": "waiting for activations",
    "accumulation": "waiting for accumulation",
    "output_space": "waiting for output space",
    "fill": "fill",
    "drain": "drain",
    "idle": "idle",
}
"""What people read for each reason of an account, in the order of bars."""
_NOTES = (
    "Simulated. A cycle is shared out over the lines of both engines by what each does; the "
    "parts of a row add up to All, the cycles of one block (mean) without softmax.",
    "Imbalance: lines without a row while others work. Gathers: inputs come from banks for longer "
    "than the slowest line works. Fill: before the first tile arrives. Drain: "
    "until the last result is written. Idle: no tile left for one engine while the other works.",
)


@dataclass(frozen=True)
class StallParts:
    """Where the cycles of a module go.

    Attributes:
        module: MHA or FFN.
        run: ``dense`` or ``compressed``.
        cycles: Of one block, the mean.
        parts: Cycles by reason, those that occur; they add up to ``cycles``.
    """

    module: Module
    run: str
    cycles: float
    parts: Mapping[str, float]


def stall_parts(result: CyclesResult) -> list[StallParts]:
    """Cycles by reason of each module, dense and compressed.

    Args:
        result: Of the model ``event`` or ``compiled``; others have none.
    """
    found = []
    for module in MODULES:
        for field, name in RUN_NAMES.items():
            runs = runs_of(result, module, field)
            if runs:
                found.append(_parts(result, module, field=field, name=name))
    return found


def _parts(result: CyclesResult, module: Module, *, field: RunField, name: str) -> StallParts:
    counts: Counter[str] = Counter()
    runs = runs_of(result, module, field)
    for run in runs:
        for account in run.stalls.values():
            counts.update(asdict(account))
    whole = sum(counts.values())
    cycles = sum(run.cycles for run in runs) / len(result.blocks)
    parts = {reason: cycles * counts[reason] / whole for reason in REASONS if counts[reason]}
    return StallParts(module, name, cycles, parts)


def stalls_table(results: Sequence[CyclesResult]) -> Table:
    """Cycles of one block by reason, one row per module and run, and their sum.

    Args:
        results: Those without simulated runs have no rows, and the compiled model repeats the
            event model's.
    """
    having = [result for result in results if result.identity.cycle_model in SIMULATED]
    varying, _ = split(cycle_differences(having))
    labels = cycle_labels(having)
    parts = [stall_parts(result) for result in having]
    occurring = [r for r in REASONS if any(r in one.parts for each in parts for one in each)]
    rows: dict[tuple[Cell, ...], None] = {}
    for index, result in enumerate(having):
        more = tuple(cells[index] for cells in varying.values())
        model, method, machine, tokens = labels[index]
        for one in parts[index]:
            where = (model, method, module_label(result, one.module), machine, tokens, one.run)
            cells = (one.parts.get(reason, 0.0) for reason in occurring)
            rows[(*where, one.cycles, *cells, *more)] = None
    heading = (
        *(Column(name) for name in ("Model", "Method", "Module", "Accelerator", "Tokens", "Run")),
        Column("All", ",.1f"),
        *(Column(REASONS[reason].capitalize(), ",.1f") for reason in occurring),
        *columns(varying),
    )
    return Table("stalls", "Cycles of one block by reason", heading, tuple(rows), _NOTES)
