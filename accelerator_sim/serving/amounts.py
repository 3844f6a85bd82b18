"""Cycles and energy of work, added up; growing contexts sampled and integrated. Pure.

First in the flow of a whole model: ``phases`` makes amounts, ``results`` holds them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Amount:
    """What some work costs.

    Attributes:
        cycles: Of the machine.
        energy_pj: None where the cycle model counts no energy.
    """

    cycles: float
    energy_pj: float | None

    def times(self, count: float) -> "Amount":
        """The same work so many times."""
        energy = None if self.energy_pj is None else self.energy_pj * count
        return Amount(self.cycles * count, energy)


def total(amounts: Iterable[Amount]) -> Amount:
    """The sum; its energy is None where one part has none."""
    parts = list(amounts)
    energies = [part.energy_pj for part in parts if part.energy_pj is not None]
    energy = sum(energies) if len(energies) == len(parts) else None
    return Amount(sum(part.cycles for part in parts), energy)


@dataclass(frozen=True)
class Integral:
    """A sum over growing contexts.

    Attributes:
        amount: The sum.
        error_cycles: By how much its cycles change when every second sample is left out; 0 where
            every context was simulated.
    """

    amount: Amount
    error_cycles: float


def integrate(
    contexts: Sequence[int], cost: Callable[[int], Amount], *, max_samples: int
) -> Integral:
    """The sum of a cost over contexts: every one, or samples with straight lines between them.

    Args:
        contexts: Ascending.
        cost: Of one context.
        max_samples: At most so many are asked for, evenly spread, both ends included; at least 3.
    """
    if len(contexts) <= max_samples:
        return Integral(total(map(cost, contexts)), 0.0)
    steps = np.linspace(0, len(contexts) - 1, max_samples | 1).round().astype(int)
    chosen = [contexts[step] for step in steps]
    amounts = [cost(context) for context in chosen]
    cycles = [amount.cycles for amount in amounts]
    whole = float(np.interp(contexts, chosen, cycles).sum())
    coarse = float(np.interp(contexts, chosen[::2], cycles[::2]).sum())
    energies = [amount.energy_pj for amount in amounts if amount.energy_pj is not None]
    energy = float(np.interp(contexts, chosen, energies).sum()) if energies else None
    return Integral(Amount(whole, energy), abs(whole - coarse))
