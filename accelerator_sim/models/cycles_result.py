"""Cycles of a model's blocks by one cost model, with all that determines them: a typed result."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from accelerator_sim.models.by_name import CYCLE_MODELS
from accelerator_sim.models.cycles import BlockCycles, ModuleCycles, summed
from workloads.results.identity import Provenance
from workloads.results.kinds import CyclesIdentity
from workloads.results.table import Cell, Column, Table
from workloads.shapes.gemm import MODULES, Module
from workloads.support.wording import counted

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

BASIS: dict[str, str] = {name: model.basis for name, model in CYCLE_MODELS.items()}
"""What the numbers of a cycle model are, in the order of tables."""
SIMULATED = tuple(name for name, model in CYCLE_MODELS.items() if model.simulated)
CYCLE_COLUMNS = (
    Column("Dense", ",.1f"),
    Column("Sparse", ",.1f"),
    Column("Low-rank", ",.1f"),
    Column("Sum", ",.1f"),
    Column("Speedup", ".2f"),
    Column("Dense (us)", ",.2f"),
    Column("Sum (us)", ",.2f"),
)
_US_PER_SECOND = 1e6


@dataclass(frozen=True)
class CyclesResult:
    """Cycles of every simulated block.

    Attributes:
        identity: What determines them.
        provenance: Where they came from.
        blocks: One entry per block, in order.
    """

    KIND: ClassVar[str] = "cycles"
    COMMAND: ClassVar[str] = "sslc simulate"
    DERIVED: ClassVar = ("basis", "mean_per_block", "total", "tokens_per_second")

    identity: CyclesIdentity
    provenance: Provenance
    blocks: tuple[BlockCycles, ...]

    @property
    def basis(self) -> str:
        """What the numbers are, such as ``simulated (event)``."""
        return BASIS[self.identity.cycle_model]

    @property
    def clock_hz(self) -> float:
        """Of the machine."""
        return float(self.identity.machine.fields["clock_hz"])

    @property
    def total(self) -> dict[Module, ModuleCycles]:
        """Sums over all blocks, of the modules that occur."""
        present = [m for m in MODULES if any(m in block.modules for block in self.blocks)]
        return {
            module: summed(b.modules[module] for b in self.blocks if module in b.modules)
            for module in present
        }

    @property
    def mean_per_block(self) -> dict[Module, ModuleCycles]:
        """Means over the blocks."""
        count = len(self.blocks)
        return {
            module: ModuleCycles(
                cycles.dense_cycles / count,
                cycles.sparse_cycles / count,
                cycles.sum_cycles / count,
                cycles.has_work,
            )
            for module, cycles in self.total.items()
        }

    @property
    def tokens_per_second(self) -> dict[str, float] | None:
        """Dense and compressed, of all blocks' projections without embeddings and head.

        None unless every block was simulated; only dense where nothing is kept.
        """
        work = self.identity.workload
        if work.of_blocks is None or work.blocks < work.of_blocks:
            return None
        sums = {
            "dense": sum(cycles.dense_cycles for cycles in self.total.values()),
            "compressed": sum(cycles.sum_cycles for cycles in self.total.values()),
        }
        if not any(cycles.has_work for cycles in self.total.values()):
            del sums["compressed"]
        rate = work.tokens * self.clock_hz
        return {run: rate / cycles for run, cycles in sums.items() if cycles}

    @property
    def stem(self) -> str:
        """Machine, cycle model, tokens and context."""
        work = self.identity.workload
        context = f"-context-{work.context}" if work.context else ""
        machine = self.identity.machine.label
        return f"{self.identity.cycle_model}-{work.tokens}{context}-{machine}"

    def __repr__(self) -> str:
        subject = self.identity.subject
        return (
            f"CyclesResult({subject.model}, {subject.method}, {self.identity.machine.label}, "
            f"{self.basis}, {counted(len(self.blocks), 'block')})"
        )

    def to_table(self) -> Table:
        """Cycles and time of one block by module, the mean over the blocks."""
        return cycles_table([self])

    def to_frame(self) -> "pandas.DataFrame":
        """``to_table`` as a data frame.

        Raises:
            InputError: pandas is not installed.
        """
        return self.to_table().to_frame()

    def plot(self) -> "Figure":
        """Cycles of one block by module, dense beside compressed."""
        return Simulation((self,)).plot()


@dataclass(frozen=True)
class Simulation:
    """Cycles of one workload on one machine, by each cycle model that was asked for.

    Attributes:
        results: One per model, in the order in which they were asked for.
    """

    results: tuple[CyclesResult, ...]

    def __getitem__(self, model: str) -> CyclesResult:
        for result in self.results:
            if result.identity.cycle_model == model:
                return result
        raise KeyError(model)

    def __iter__(self) -> Iterator[CyclesResult]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def __repr__(self) -> str:
        first = self.results[0].identity
        models = ", ".join(result.identity.cycle_model for result in self)
        about = f"{first.subject.model}, {first.subject.method}, {first.machine.label}"
        return f"Simulation({about}: {models}; {counted(first.workload.blocks, 'block')})"

    def to_table(self) -> Table:
        """Cycles and time of one block by module and model, the mean over the blocks."""
        return cycles_table(self.results)

    def to_frame(self) -> "pandas.DataFrame":
        """``to_table`` as a data frame.

        Raises:
            InputError: pandas is not installed.
        """
        return self.to_table().to_frame()

    def plot(self) -> "Figure":
        """Cycles of one block by module, dense beside compressed, a panel for each model."""
        from accelerator_sim.models.cycles_figure import cycles_figure

        return cycles_figure(self.results)


def module_label(result: CyclesResult, module: Module) -> str:
    """A module as tables call it: MHA says the context where attention over one is part of it."""
    context = result.identity.workload.context
    return module if module != "MHA" or not context else f"MHA, context {context:,}"


def cycle_cells(cycles: ModuleCycles, clock_hz: float) -> tuple[Cell, ...]:
    """Cells for ``CYCLE_COLUMNS``.

    Args:
        cycles: Of a module.
        clock_hz: Of the machine.
    """
    per_us = clock_hz / _US_PER_SECOND
    return (
        cycles.dense_cycles,
        cycles.sparse_cycles,
        cycles.low_rank_cycles,
        cycles.sum_cycles,
        cycles.speedup,
        cycles.dense_cycles / per_us,
        cycles.sum_cycles / per_us,
    )


def cycles_table(results: Sequence[CyclesResult]) -> Table:
    """Cycles and time of one block by module, for results of one workload and machine.

    Args:
        results: By different cycle models.
    """
    rows = [
        (module_label(result, module), result.basis, *cycle_cells(cycles, result.clock_hz))
        for result in in_order(results)
        for module, cycles in result.mean_per_block.items()
    ]
    columns = (Column("Module"), Column("Cycles are"), *CYCLE_COLUMNS)
    labels = dict.fromkeys(result.identity.machine.label for result in results)
    title = f"Cycles of one block on {', '.join(labels)}, mean over the simulated blocks"
    return Table("cycles", title, columns, tuple(rows))


def in_order(results: Iterable[CyclesResult]) -> list[CyclesResult]:
    """Results in the order of ``BASIS``."""
    order = list(BASIS)
    return sorted(results, key=lambda result: order.index(result.identity.cycle_model))
