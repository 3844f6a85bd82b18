"""What no run of a program can beat: the larger of its compute and its DRAM traffic. Pure."""

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from accelerator_sim.mapping.program import Program
from accelerator_sim.mapping.timing import ceil_div
from accelerator_sim.mapping.totals import totals


@dataclass(frozen=True)
class Roofline:
    """A run's work under the roofline of its machine.

    Attributes:
        macs: Useful multiply-accumulates.
        bits: Every operand once, as encoded at the run's tiles, outputs included.
        peak_macs: MACs per cycle of the whole machine.
        peak_bytes_per_cycle: Of the DRAM, without its efficiency.

    Source: Williams et al. 2009, the roofline model.
    """

    DERIVED: ClassVar = ("bytes", "bound", "macs_per_byte", "balance_macs_per_byte")

    macs: int
    bits: int
    peak_macs: int
    peak_bytes_per_cycle: Fraction

    @property
    def cycles(self) -> int:
        """⌈max(MACs / peak, bytes / peak bandwidth)⌉: what no run can beat."""
        rate = self.peak_bytes_per_cycle
        memory = ceil_div(self.bits * rate.denominator, 8 * rate.numerator)
        return max(ceil_div(self.macs, self.peak_macs), memory)

    @property
    def bytes(self) -> float:
        """Bytes of all operands."""
        return self.bits / 8

    @property
    def bound(self) -> str:
        """``memory`` or ``compute``, whichever takes longer alone; ``compute`` if neither does."""
        return "memory" if self._memory_cycles > self._compute_cycles else "compute"

    @property
    def macs_per_byte(self) -> float | None:
        """Arithmetic intensity; None where nothing crosses the DRAM port."""
        return 8 * self.macs / self.bits if self.bits else None

    @property
    def balance_macs_per_byte(self) -> float:
        """The intensity at which the machine's two peaks take equally long."""
        return float(self.peak_macs / self.peak_bytes_per_cycle)

    def times(self, count: int) -> "Roofline":
        """The same work so many times."""
        return Roofline(
            self.macs * count, self.bits * count, self.peak_macs, self.peak_bytes_per_cycle
        )

    @property
    def _compute_cycles(self) -> Fraction:
        return Fraction(self.macs, self.peak_macs)

    @property
    def _memory_cycles(self) -> Fraction:
        return Fraction(self.bits, 8) / self.peak_bytes_per_cycle


def roofline(program: Program) -> Roofline:
    """The work of a program under the roofline of its machine.

    Compute: MACs with kept weights and factors, no executed zeros. Traffic: every operand once, as
    encoded at the program's tiles and without rounding to bytes or bursts; activations of columns
    that nothing uses are left out, outputs are included.
    """
    tiled, accelerator = program.tiled, program.accelerator
    macs = tiled.nonzeros * tiled.gemm.tokens + tiled.gemm.low_rank_macs(tiled.rank)
    sums = totals(program)
    moved = program.written_total + sums.columns_read * tiled.gemm.tokens
    bits = sums.first_bits + moved * accelerator.bits.activation
    return Roofline(macs, bits, accelerator.peak_macs, accelerator.peak_bytes_per_cycle)


def roofline_cycles(program: Program) -> int:
    """Cycles that no run of a program can beat: the larger of compute and DRAM traffic."""
    return roofline(program).cycles
