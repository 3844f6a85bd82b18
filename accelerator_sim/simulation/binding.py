"""Why a run takes as long as it does: its binding resource, and its place under the roofline. Pure.

Before ``result``, which holds both for every run.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

RESOURCES: dict[str, tuple[str, ...]] = {
    "compute": ("compute",),
    "DRAM: weights": ("weights",),
    "DRAM: activations": ("activations",),
    "accumulation link or V^T x": ("accumulation",),
    "output buffer": ("output_space",),
    "imbalance": ("imbalance",),
    "index decode": ("index_decode",),
    "fill and drain": ("fill", "drain"),
    "idle": ("idle",),
}
"""What can bind a run, and which reasons of an account it takes; of equals the first binds."""


@dataclass(frozen=True)
class Binding:
    """What a run spends most of its PE-line cycles on.

    Attributes:
        resource: One of ``RESOURCES``.
        share: Of the line cycles of both engines.
    """

    resource: str
    share: float


def binding(accounts: Iterable[Mapping[str, int]]) -> Binding:
    """The resource that takes most PE-line cycles.

    Args:
        accounts: Line cycles by reason, one per engine, of one run or of several.

    Raises:
        ValueError: The accounts have no cycle.
    """
    each = list(accounts)
    cycles = {
        name: sum(account[reason] for account in each for reason in reasons)
        for name, reasons in RESOURCES.items()
    }
    whole = sum(cycles.values())
    if not whole:
        raise ValueError("no account has a cycle")
    resource = max(cycles, key=lambda name: cycles[name])
    return Binding(resource, cycles[resource] / whole)


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

    macs: int
    bits: int
    peak_macs: int
    peak_bytes_per_cycle: Fraction

    @property
    def cycles(self) -> int:
        """⌈max(MACs / peak, bytes / peak bandwidth)⌉: what no run can beat."""
        return -int(-max(self._compute_cycles, self._memory_cycles) // 1)

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

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings."""
        return {
            "bound": self.bound,
            "macs": self.macs,
            "bytes": self.bits / 8,
            "macs_per_byte": self.macs_per_byte,
            "balance_macs_per_byte": self.balance_macs_per_byte,
        }

    @property
    def _compute_cycles(self) -> Fraction:
        return Fraction(self.macs, self.peak_macs)

    @property
    def _memory_cycles(self) -> Fraction:
        return Fraction(self.bits, 8) / self.peak_bytes_per_cycle
