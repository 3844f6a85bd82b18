"""Shares that a projection may keep, and the settings by which a budget is divided among them."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from sslc.methods.base import Method
from sslc.methods.registry import load_method
from sslc.methods.rounded import settings_of
from workloads.masks.pattern import parse_pattern
from workloads.support.errors import InputError

PARAMETERS = "parameters"
"""The cost that needs no machine: entries of S, U and V."""
_LOSSES = ("relative", "absolute")
_GRID = tuple(round(0.05 * step, 2) for step in range(3, 21))


class Share(NamedTuple):
    """What a projection may keep.

    Attributes:
        kept_fraction: Of its parameters, factors included.
        rank_share: Of them for U and V; 0 where the method has no such setting.
    """

    kept_fraction: float
    rank_share: float = 0.0


@dataclass(frozen=True)
class Hardware:
    """How a budget of cycles, energy or traffic is divided.

    Attributes:
        cost: Name of a cost of the curves, such as ``cycles``, ``energy_pj`` or ``dram_bytes``; or
            ``parameters``, which needs no curves.
        budget: In the cost's unit, of all projections together; None: what they cost when all keep
            the run's kept fraction.
        share_of_dense: The budget as a share of what they cost dense, in place of ``budget``.
        fractions: Kept fractions that a projection may get, as a list; None: those of the curves,
            or 0.15 to 1 in steps of 0.05. That of the run is always one of them.
        rank_shares: Rank shares likewise; None: the run's alone.
        loss: ``relative``: a projection's squared output error over its output's square, summed;
            ``absolute``: the squared errors themselves.
        gap: Share of the loss by which a better division may exist when the search ends.

    Errors are relative by default: a projection's outputs go through a softmax, a product with a
    gate, or a norm of the residual stream, behind all of which their scale is lost, and that scale
    grows with depth: 71% of the demo model's absolute errors are in the last third of its blocks
    (``docs/budgets.md``).
    """

    cost: str = "cycles"
    budget: float | None = None
    share_of_dense: float | None = None
    fractions: tuple[float, ...] | None = None
    rank_shares: tuple[float, ...] | None = None
    loss: str = "relative"
    gap: float = 1e-3

    def __post_init__(self) -> None:
        for name in ("fractions", "rank_shares"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _shares(name, getattr(self, name)))
        for name in ("budget", "share_of_dense"):
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and value > 0):
                raise ValueError(f"{name} must be a number above 0, got {value!r}")
        if self.budget is not None and self.share_of_dense is not None:
            raise ValueError("budget and share_of_dense say the same; give one")
        if self.loss not in _LOSSES:
            raise ValueError(f"loss must be one of {', '.join(_LOSSES)}, got {self.loss!r}")
        if not 0 <= self.gap < 1:
            raise ValueError(f"gap must lie in [0, 1), got {self.gap}")

    def grid(self, method: Method) -> tuple[Share, ...]:
        """The shares for which cost curves are to be made.

        Args:
            method: Of the run.
        """
        own = share_of(method)
        fractions = {*(self.fractions or _GRID), own.kept_fraction}
        ranks = {own.rank_share} if self.rank_shares is None else {*self.rank_shares}
        shares = {Share(kept, rank) for kept in fractions for rank in ranks}
        return tuple(sorted({own, *shares}))


def _shares(name: str, values: Any) -> tuple[float, ...]:
    """A list of numbers in [0, 1], as a tuple without repetitions, in order."""
    listed = values if isinstance(values, list | tuple) else [values]
    if not listed or not all(_is_number(value) and 0 <= value <= 1 for value in listed):
        raise ValueError(f"{name} must be a list of shares in [0, 1], such as [0.3, 0.5]")
    return tuple(sorted({float(value) for value in listed}))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def share_of(method: Method) -> Share:
    """The share that a method gives every projection."""
    return Share(method.kept_fraction, float(settings_of(method).get("rank_share", 0.0)))


def share_settings(method: Method, share: Share) -> dict[str, float]:
    """The settings of a method that a share changes, by name.

    Raises:
        InputError: It has no rank share, a rank of its own, or a pattern that fixes what is kept.
    """
    settings = settings_of(method)
    if parse_pattern(str(settings.get("group", "row"))) is not None:
        raise InputError(f"hardware: the pattern {settings['group']} fixes what S keeps")
    if settings.get("rank", -1) != -1:
        raise InputError("hardware: a fixed rank leaves no share to divide; use the rank share")
    if "rank_share" in settings:
        return {"kept_fraction": share.kept_fraction, "rank_share": share.rank_share}
    if share.rank_share:
        raise InputError(f"hardware: {method.name} has no rank share to divide")
    return {"kept_fraction": share.kept_fraction}


def with_share(method: Method, share: Share) -> Method:
    """A method at another share.

    Raises:
        InputError: As ``share_settings``.
    """
    return load_method(method.name, settings_of(method) | share_settings(method, share))
