"""Why a run takes as long as it does: its binding resource, and its place under the roofline. Pure.

Before ``result``, which holds both for every run.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

RESOURCES: dict[str, tuple[str, ...]] = {
    "compute": ("compute",),
    "DRAM: weights": ("weights",),
    "DRAM: activations": ("activations",),
    "accumulation link or V^T x": ("accumulation",),
    "output buffer": ("output_space",),
    "imbalance": ("imbalance",),
    "index decode": ("index_decode",),
    "gathers": ("gather",),
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


def binding(accounts: Iterable[Mapping[str, int]]) -> Binding | None:
    """The resource that takes most PE-line cycles; None where no account has a cycle.

    Args:
        accounts: Line cycles by reason, one per engine, of one run or of several.
    """
    by_engine = list(accounts)
    cycles = {
        name: sum(account[reason] for account in by_engine for reason in reasons)
        for name, reasons in RESOURCES.items()
    }
    whole = sum(cycles.values())
    if not whole:
        return None
    resource = max(cycles, key=lambda name: cycles[name])
    return Binding(resource, cycles[resource] / whole)
