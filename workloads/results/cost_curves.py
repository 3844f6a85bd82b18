"""Cost curves: what every projection costs at every share that it may keep, as a JSON file.

Made from the simulator (``reports``) or by anybody else; a division of a budget reads them.
"""

import fnmatch
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from workloads.results.codec import from_json, schema, to_json
from workloads.support.errors import InputError, unknown_name
from workloads.support.files import read_json, write_json


@dataclass(frozen=True)
class CostPoint:
    """What a projection costs at one share.

    Attributes:
        kept_fraction: Kept share of its parameters, U and V included, in [0, 1].
        rank_share: Share of them that U and V may take; 0 without.
        costs: By name with unit, such as ``cycles``, ``energy_pj`` or ``dram_bytes``.
    """

    kept_fraction: float
    rank_share: float
    costs: Mapping[str, float]

    def __post_init__(self) -> None:
        for name in ("kept_fraction", "rank_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        _check_costs(self.costs)


@dataclass(frozen=True)
class CostCurve:
    """What the projections that a pattern matches cost.

    Attributes:
        pattern: Of a projection's whole name, such as ``layers.3.self_attn.q_proj``, or of its
            last part.
        dense: What the matrix costs whole.
        points: At least one, each share once.
    """

    pattern: str
    dense: Mapping[str, float]
    points: tuple[CostPoint, ...]

    def __post_init__(self) -> None:
        _check_costs(self.dense)
        shares = [(point.kept_fraction, point.rank_share) for point in self.points]
        if not shares:
            raise ValueError(f"points of {self.pattern!r} are missing")
        if len(set(shares)) < len(shares):
            raise ValueError(f"points of {self.pattern!r} have a share twice")
        for point in self.points:
            if point.costs.keys() != self.dense.keys():
                raise ValueError(f"points of {self.pattern!r} have other costs than dense")


@dataclass(frozen=True)
class CostCurves:
    """Cost curves of a model's projections.

    Attributes:
        curves: Of patterns; where several match, the later one counts.
        about: What they were made from: machine, tokens, masks.
        format: Says what the file is.
        version: Of its form.
    """

    NAME: ClassVar = "sslc-cost-curves"

    curves: tuple[CostCurve, ...]
    about: Mapping[str, Any] = field(default_factory=dict)
    format: Literal["sslc-cost-curves"] = "sslc-cost-curves"
    version: Literal[1] = 1

    def of(self, name: str) -> CostCurve:
        """The curve of a projection by its name, such as ``layers.3.self_attn.q_proj``.

        Raises:
            InputError: There is none.
        """
        last = name.rpartition(".")[2]
        for curve in reversed(self.curves):
            if any(fnmatch.fnmatchcase(each, curve.pattern) for each in (name, last)):
                return curve
        patterns = ", ".join(curve.pattern for curve in self.curves[:8]) or "none"
        raise InputError(f"cost curves: none for {name}; there are curves of {patterns}")

    def check_cost(self, name: str) -> None:
        """Refuse a cost that some curve does not have.

        Raises:
            InputError: The sentence lists the known ones.
        """
        for curve in self.curves:
            if name not in curve.dense:
                raise unknown_name("cost", name, curve.dense)


def read_cost_curves(path: Path) -> CostCurves:
    """Cost curves from a JSON file.

    Raises:
        InputError: The file is missing, or is not of the form of ``cost_curves.schema.json``.
    """
    value = read_json(path)
    if not isinstance(value, dict) or value.get("format") != CostCurves.NAME:
        raise InputError(f"{path}: not cost curves (no format {CostCurves.NAME!r})")
    return from_json(CostCurves, value, str(path))


def write_cost_curves(path: Path, curves: CostCurves) -> None:
    """Write cost curves as a JSON file, whole or not at all."""
    write_json(path, to_json(curves))


def cost_curves_schema() -> dict[str, Any]:
    """The JSON Schema of such a file."""
    made = schema(CostCurves)
    title = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Cost curves"}
    return {**title, **made}


def _check_costs(costs: Mapping[str, float]) -> None:
    for name, value in costs.items():
        if not math.isfinite(value) or value < 0:
            raise ValueError(f"costs must be finite and not negative, {name} is {value}")
