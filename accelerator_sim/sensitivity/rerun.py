"""The same projections on changed machines: tile and split held, and planned anew.

After ``changes``, before ``results``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from accelerator_sim.machine.catalog import with_overrides
from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.mapping.storage import storage_of
from accelerator_sim.models.by_name import Model
from accelerator_sim.models.cycles import Run
from accelerator_sim.planning.planner import plan_dense, plan_projection
from accelerator_sim.projection import simulate_projection
from accelerator_sim.sensitivity.changes import Change, changes_to
from accelerator_sim.sensitivity.what_if_result import Cycles, Gain
from workloads.masks.packed import SparseLowRankGemm

_RUNS: tuple[Run, ...] = ("dense", "sum")


class Reruns:
    """Cycles that add up over blocks: as the machine is, and for each change."""

    def __init__(self, machine: Accelerator, model: Model):
        self._machine, self._model = machine, model
        self._changes = list(changes_to(machine))
        self._base = Cycles(0.0, 0.0)
        self._held = [Cycles(0.0, 0.0)] * len(self._changes)
        self._anew = [Cycles(0.0, 0.0)] * len(self._changes)

    def add(self, items: Sequence[SparseLowRankGemm]) -> None:
        """Run the projections of a block on every machine.

        Args:
            items: As for ``simulate_block``.

        Raises:
            InputError: No tile fits the machine.
        """
        for item in items:
            plans: Mapping[Run, Plan] = {
                "dense": plan_dense(item.gemm, self._machine),
                "sum": plan_projection(item, self._machine),
            }
            self._base += self._cycles(item, dict.fromkeys(_RUNS, self._machine))
            anew: dict[Accelerator, Cycles] = {}
            for index, (change, changed) in enumerate(self._changes):
                held = {run: hold(plan, changed, change) for run, plan in plans.items()}
                self._held[index] += self._cycles(item, held)
                if changed not in anew:
                    anew[changed] = self._cycles(item, dict.fromkeys(_RUNS, changed))
                self._anew[index] += anew[changed]

    @property
    def base(self) -> Cycles:
        """On the machine as it is."""
        return self._base

    @property
    def gains(self) -> tuple[Gain, ...]:
        """Of every change."""
        changes: list[Change] = [change for change, _ in self._changes]
        rows = zip(changes, self._held, self._anew, strict=True)
        return tuple(Gain(change, held, anew) for change, held, anew in rows)

    def _cycles(self, item: SparseLowRankGemm, machines: Mapping[Run, Accelerator]) -> Cycles:
        """Dense and compressed, each on a machine."""
        dense, compressed = (
            simulate_projection(item, machines[run], models=(self._model,), runs=(run,))
            for run in _RUNS
        )
        return Cycles(dense[self._model].dense_cycles, compressed[self._model].sum_cycles)


def hold(plan: Plan, changed: Accelerator, change: Change) -> Accelerator:
    """A changed machine that keeps tile, dataflow, split, format and fewer slots of a plan.

    Args:
        plan: Of a projection on the machine as it is.
        changed: With more lines, each engine has as many times more.
        change: What made it; where that is the number of slots, those of the plan are doubled, or
            as many as fit.
    """
    program = plan.program
    tile = program.tiled.tile
    times = changed.lines // program.accelerator.lines
    kept: dict[str, Any] = {
        "tile.rows": tile.rows,
        "tile.columns": tile.columns,
        "tile.tokens": tile.tokens,
        "dataflow": program.configuration.dataflow,
        "denser_lines": program.denser_lines * times,
        "index.format": program.accelerator.index.format,
    }
    fit, used = storage_of(program), plan.storage
    for buffer, fitting, slots in (
        ("weight_buffer", max(fit.weight_slots), max(used.weight_slots)),
        ("activation_buffer", fit.input_slots, used.input_slots),
    ):
        if slots == fitting or (change.frees_slots(buffer) and change.step == "ideal"):
            continue
        kept[f"{buffer}.slots"] = slots * (2 if change.frees_slots(buffer) else 1)
    return with_overrides(changed, kept)
