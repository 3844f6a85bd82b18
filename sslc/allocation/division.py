"""From loss curves and cost curves to overrides: which projection gets which share. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sslc.allocation.knapsack import Division, divide
from sslc.allocation.shares import Hardware, Share, share_of, share_settings
from sslc.compression.plan import Override
from sslc.methods.base import Method
from workloads.results.cost_curves import CostCurve, CostCurves
from workloads.support.errors import InputError

LossesByShare = Mapping[str, Mapping[Share, float]]
"""What each projection loses at each share, by its name, such as layers.3.self_attn.q_proj."""


@dataclass(frozen=True)
class Divided:
    """A budget divided between projections.

    Attributes:
        overrides: One for each, to stand before those of the user.
        division: Loss, cost and the bound of the loss.
        budget: In the cost's unit.
        uniform_loss: When all keep the run's share; None where that was not measured.
    """

    overrides: tuple[Override, ...]
    division: Division
    budget: float
    uniform_loss: float | None

    def __str__(self) -> str:
        division, uniform = self.division, self.uniform_loss
        told = f", {division.loss / uniform:.1%} of uniform's" if uniform else ""
        return (
            f"{division.cost:,.6g} of a budget of {self.budget:,.6g}; loss {division.loss:.5g}"
            f"{told}, at most {division.gap:.3%} above the least"
        )


def candidates(
    names: Iterable[str], costs: CostCurves, *, hardware: Hardware, method: Method
) -> dict[str, tuple[Share, ...]]:
    """The shares of each projection's cost curve among which the division may choose.

    Args:
        names: Of projections.
        costs: Their curves.
        hardware: Which fractions and rank shares are asked for.
        method: Of the run, for its rank share.

    Raises:
        InputError: A projection has no curve, a curve lacks the cost, or has no share that is
            asked for.
    """
    costs.check_cost(hardware.cost)
    return {name: _among(costs.of(name), hardware, method) for name in names}


def _among(curve: CostCurve, hardware: Hardware, method: Method) -> tuple[Share, ...]:
    shares = {Share(point.kept_fraction, point.rank_share) for point in curve.points}
    ranks = hardware.rank_shares or (share_of(method).rank_share,)
    found = {share for share in shares if share.rank_share in ranks}
    if not found:
        known = ", ".join(f"{each:g}" for each in sorted({s.rank_share for s in shares}))
        asked = ", ".join(f"{each:g}" for each in ranks)
        raise InputError(
            f"cost curves: {curve.pattern} has no point with rank share {asked}; it has {known}"
        )
    if hardware.fractions is not None:
        missing = {*hardware.fractions} - {share.kept_fraction for share in found}
        if missing:
            raise InputError(f"cost curves: {curve.pattern} has no point at {min(missing):g}")
        kept = {*hardware.fractions, share_of(method).kept_fraction}
        found = {share for share in found if share.kept_fraction in kept}
    return tuple(sorted(found))


def divide_curves(
    losses: LossesByShare, costs: CostCurves, *, hardware: Hardware, method: Method
) -> Divided:
    """Choose a share for each projection: least total loss at a total cost within the budget.

    Args:
        losses: Finite and not negative, in one unit.
        costs: Curves with a point at every share of ``losses``.
        hardware: Cost and budget.
        method: Of the run; its share is what uniform means.

    Raises:
        InputError: A projection has no share left, the budget is below what the shares cost at
            least, or no budget is given and a projection has no point at the run's share.
    """
    for name, curve in losses.items():
        if not curve:
            raise InputError(f"hardware: no candidate of {name} fits its shape")
    shares = {name: list(curve) for name, curve in losses.items()}
    table = {name: _prices(costs.of(name), hardware.cost) for name in losses}
    own = share_of(method)
    budget = check_budget(shares, costs, hardware=hardware, method=method)
    division = divide(
        [list(curve.values()) for curve in losses.values()],
        [[table[name][share] for share in of] for name, of in shares.items()],
        budget=budget,
        gap=hardware.gap,
    )
    chosen = zip(shares.items(), division.chosen, strict=True)
    overrides = tuple(
        Override(name, share_settings(method, of[which]), f"hardware: {name}")
        for (name, of), which in chosen
    )
    uniform = [curve.get(own) for curve in losses.values()]
    known = [loss for loss in uniform if loss is not None]
    return Divided(overrides, division, budget, sum(known) if len(known) == len(uniform) else None)


def check_budget(
    shares: Mapping[str, Sequence[Share]], costs: CostCurves, *, hardware: Hardware, method: Method
) -> float:
    """The budget as given, as a share of dense, or what the run's share costs everywhere.

    Args:
        shares: Of each projection, those that it may get.
        costs: Curves with a point at each of them.
        hardware: Cost and budget.
        method: Of the run.

    Raises:
        InputError: It is below what the shares cost at least, or nothing says what it is.
    """
    table = {name: _prices(costs.of(name), hardware.cost) for name in shares}
    budget = _budget(table, share_of(method), costs, hardware)
    least = math.fsum(min(table[name][share] for share in of) for name, of in shares.items())
    if least > budget:
        raise InputError(
            f"hardware: a budget of {budget:,.6g} {hardware.cost} is below {least:,.6g}, the least "
            "that the candidates cost; a larger one, or smaller kept fractions among them"
        )
    return budget


def _prices(curve: CostCurve, cost: str) -> dict[Share, float]:
    return {Share(p.kept_fraction, p.rank_share): p.costs[cost] for p in curve.points}


def _budget(
    table: Mapping[str, Mapping[Share, float]], own: Share, costs: CostCurves, hardware: Hardware
) -> float:
    """As given, a share of dense, or what the run's share costs everywhere."""
    if hardware.budget is not None:
        return hardware.budget
    if hardware.share_of_dense is not None:
        dense = math.fsum(costs.of(name).dense[hardware.cost] for name in table)
        return hardware.share_of_dense * dense
    for name, prices in table.items():
        if own not in prices:
            raise InputError(
                f"hardware: the cost curve of {name} has no point at kept fraction "
                f"{own.kept_fraction:g} and rank share {own.rank_share:g}, so nothing says what "
                "uniform costs; set budget or share_of_dense"
            )
    return math.fsum(prices[own] for prices in table.values())
