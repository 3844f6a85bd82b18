"""Simulated beside measured speedups of the same model, module by module, as a table."""

from collections.abc import Sequence
from dataclasses import dataclass

from accelerator_sim.models.cycles_result import CyclesResult, in_order
from reports.tables.labels import cycle_labels
from workloads.results.runtime import BackendRuntime, RuntimeResult, best
from workloads.results.table import Cell, Column, Table
from workloads.shapes.gemm import MODULES, Module

OURS = "kernel "
"""How the names of our own backends begin."""
_US_PER_SECOND = 1e6
_COLUMNS = (
    *(Column(name) for name in ("Model", "Method", "Module", "Tokens", "On", "Number is")),
    Column("Blocks"),
    Column("Dense (us)", ",.1f"),
    Column("Compressed (us)", ",.1f"),
    Column("Speedup", ".2f"),
)


@dataclass(frozen=True)
class SideBySide:
    """One model at one number of tokens, simulated and measured.

    Attributes:
        cycles: By cycle model, on any machines.
        runtime: Measured.
        tokens: Per product.
        dtype: Of what was measured.
    """

    cycles: tuple[CyclesResult, ...]
    runtime: RuntimeResult
    tokens: int
    dtype: str

    def measured(self, module: Module) -> tuple[BackendRuntime, BackendRuntime] | None:
        """The fastest dense product and our fastest compressed one; None where one is missing."""
        totals = self.runtime.totals(module, tokens=self.tokens, dtype=self.dtype)
        ours = [one for one in totals if one.backend.startswith(OURS)]
        dense, compressed = best(totals, "dense"), best(ours, "compressed")
        return None if dense is None or compressed is None else (dense, compressed)


def pair_up(cycles: Sequence[CyclesResult], runtimes: Sequence[RuntimeResult]) -> list[SideBySide]:
    """What was both simulated and measured: the same model, the same tokens, without attention.

    Args:
        cycles: Of any models and machines.
        runtimes: Likewise.
    """
    pairs = []
    for runtime in runtimes:
        settings = dict.fromkeys((entry.tokens, entry.dtype) for entry in runtime.projections)
        for tokens, dtype in settings:
            same = tuple(
                result
                for result in in_order(cycles)
                if result.identity.subject.sha256 == runtime.identity.subject.sha256
                and result.identity.workload.tokens == tokens
                and result.identity.workload.context is None
            )
            if same:
                pairs.append(SideBySide(same, runtime, tokens, dtype))
    return pairs


def side_by_side_table(pairs: Sequence[SideBySide]) -> Table:
    """Speedups of one block by module (means): published, roofline and event, then measured.

    Args:
        pairs: From ``pair_up``.
    """
    rows: dict[tuple[Cell, ...], None] = {}
    for pair in pairs:
        labels = cycle_labels(pair.cycles)
        for module in MODULES:
            for result, (model, method, machine, tokens) in zip(pair.cycles, labels, strict=True):
                mean = result.mean_per_block.get(module)
                if mean is not None:
                    us = _US_PER_SECOND / result.clock_hz
                    times = (mean.dense_cycles * us, mean.sum_cycles * us, mean.speedup)
                    head = (model, method, module, tokens, machine, result.basis)
                    rows[(*head, len(result.blocks), *times)] = None
            rows |= dict.fromkeys(_measured_rows(pair, module))
    notes = (
        "Means over the blocks that were simulated or measured. Published counts compute cycles "
        "alone, roofline and event add memory. Measured: our fastest backend over the fastest "
        "dense product, lower quartiles.",
        "The machines differ, so that times do not compare; speedups ask whether the same masks "
        "gain there what they gain here.",
    )
    return Table(
        "side-by-side", "Simulated and measured speedups by module", _COLUMNS, tuple(rows), notes
    )


def _measured_rows(pair: SideBySide, module: Module) -> list[tuple[Cell, ...]]:
    measured = pair.measured(module)
    if measured is None:
        return []
    dense, ours = measured
    identity = pair.runtime.identity
    head = (identity.subject.model, pair.cycles[0].identity.subject.method, module, pair.tokens)
    basis = f"measured ({pair.dtype}, {ours.backend})"
    seconds = (dense.lower_quartile_seconds, ours.lower_quartile_seconds)
    times = (*(one * _US_PER_SECOND for one in seconds), seconds[0] / seconds[1])
    return [(*head, identity.device.label, basis, len(identity.blocks), *times)]
