"""A method together with how its result is rounded; and what a method's settings are, with it."""

from dataclasses import asdict, dataclass
from typing import Any

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.methods.base import Budget, CompressedProjection, Method, WorkingCopies
from sslc.methods.precision import AS_DTYPE, FEWEST_BITS, Precision


@dataclass(frozen=True)
class Rounded:
    """A method whose result is stored with a precision of its own.

    Attributes:
        method: What compresses.
        precision: How the result is stored.
    """

    method: Method
    precision: Precision

    @property
    def name(self) -> str:
        """The method's."""
        return self.method.name

    @property
    def title(self) -> str:
        """The method's."""
        return self.method.title

    @property
    def kept_fraction(self) -> float:
        """The method's."""
        return self.method.kept_fraction

    @property
    def needs_hessian(self) -> bool:
        """Whether the method or the rounding looks at X Xᵀ."""
        return self.method.needs_hessian or propagates(self)

    @property
    def needs_gradients(self) -> bool:
        """The method's."""
        return self.method.needs_gradients

    @property
    def working_copies(self) -> WorkingCopies:
        """The larger of the method's and those of rounding, which comes after it."""
        copies = self.method.working_copies
        if not self.precision.whole_values:
            return copies
        return WorkingCopies(max(copies.weights, 7.5), max(copies.hessians, 3.6 * propagates(self)))

    def budget(self, m: int, n: int) -> Budget:
        """The method's."""
        return self.method.budget(m, n)

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """The method's, before it is rounded."""
        return self.method.compress(weight, statistics)


def precision_of(method: Method) -> Precision:
    """How a method's result is rounded."""
    return method.precision if isinstance(method, Rounded) else AS_DTYPE


def propagates(method: Method) -> bool:
    """Whether errors of rounding are carried from column to column."""
    if not isinstance(method, Rounded) or not method.precision.whole_values:
        return False
    precision = method.precision
    auto = precision.value_bits <= FEWEST_BITS or method.method.needs_hessian
    return precision.rounding == "propagate" or (precision.rounding == "auto" and auto)


def solves(method: Method) -> bool:
    """Whether the method itself looks at X Xᵀ, so that its values of S are not solved for again."""
    return method.method.needs_hessian if isinstance(method, Rounded) else method.needs_hessian


def settings_of(method: Method) -> dict[str, Any]:
    """A method's settings by name, those of its precision among them where it has one."""
    if isinstance(method, Rounded):
        return settings_of(method.method) | asdict(method.precision)
    return asdict(method)  # type: ignore[call-overload,no-any-return]
