"""Where modules stand under the rooflines of a simulated machine and of a measured device. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from accelerator_sim.models.cycles_result import SIMULATED, CyclesResult
from reports.tables.explained import RunField, runs_of
from reports.tables.side_by_side import SideBySide
from workloads.results.runtime import BackendRuntime
from workloads.shapes.gemm import MODULES, Module

_RUNS: dict[str, RunField] = {"dense": "dense_run", "compressed": "sum_run"}


@dataclass(frozen=True)
class Roof:
    """What a machine can do at most.

    Attributes:
        name: Of the machine.
        macs_per_second: Peak; None where nobody knows.
        bytes_per_second: Of its memory.
    """

    name: str
    macs_per_second: float | None
    bytes_per_second: float


@dataclass(frozen=True)
class RooflinePoint:
    """A module's products on a roofline.

    Attributes:
        macs_per_byte: Arithmetic intensity.
        macs_per_second: Reached.
        module: MHA or FFN.
        product: ``dense`` or ``compressed``.
        series: Its number among what is compared.
        label: What it is called: a cycle model, or a backend.
    """

    macs_per_byte: float
    macs_per_second: float
    module: Module
    product: str
    series: int
    label: str


def simulated_roof(result: CyclesResult) -> Roof:
    """Of a simulated machine, the efficiency of its DRAM included."""
    machine = result.identity.machine
    fields = machine.fields
    peak = fields["lines"] * fields["macs_per_line"] * result.clock_hz
    stream = fields["dram"]["bytes_per_second"] * fields["dram"]["efficiency"]
    return Roof(machine.label, peak, stream)


def measured_roof(pair: SideBySide) -> Roof:
    """Of the device: its stream, and a large product by torch where it was measured."""
    limits = pair.runtime.limits
    peak = limits.macs_per_second.get(pair.dtype)
    return Roof(pair.runtime.identity.device.label, peak, limits.stream_bytes_per_second)


def simulated_points(cycles: Sequence[CyclesResult]) -> list[RooflinePoint]:
    """Each module, dense and compressed, by each cycle model; none without a simulated run.

    Args:
        cycles: Of one workload on one machine.
    """
    points = []
    for place, result in enumerate(cycles):
        for module, mean in result.mean_per_block.items():
            totals = {"dense": mean.dense_cycles, "compressed": mean.sum_cycles}
            for product, count in totals.items():
                work = _work(cycles, module, product)
                if work is not None and count:
                    macs, size = work
                    rate = macs / len(result.blocks) * result.clock_hz / count
                    where = (macs / size, rate)
                    points.append(RooflinePoint(*where, module, product, place, result.basis))
    return points


def measured_points(pair: SideBySide) -> list[RooflinePoint]:
    """Each module by the fastest dense product and by our fastest compressed one."""
    return [
        _measured(pair, module, one) for module in MODULES for one in pair.measured(module) or ()
    ]


def _measured(pair: SideBySide, module: Module, one: BackendRuntime) -> RooflinePoint:
    entries = [
        entry
        for entry in pair.runtime.projections
        if (entry.module, entry.tokens, entry.dtype) == (module, pair.tokens, pair.dtype)
    ]
    blocks = len({entry.block for entry in entries})
    macs = sum(entry.macs(one.product) for entry in entries) / blocks
    rate = macs / one.lower_quartile_seconds
    place = 0 if one.product == "dense" else 1
    return RooflinePoint(
        macs / one.weight_bytes, rate, module, one.product, place, one.backend
    )  # fmt: skip


def _work(
    cycles: Sequence[CyclesResult], module: Module, product: str
) -> tuple[float, float] | None:
    """MACs and bytes, every operand once, of a module in all blocks; None without a simulation."""
    for result in cycles:
        if result.identity.cycle_model in SIMULATED:
            runs = runs_of(result, module, _RUNS[product])
            if runs:
                return sum(r.roofline.macs for r in runs), sum(r.roofline.bytes for r in runs)
    return None
