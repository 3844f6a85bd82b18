"""What candidates are given and what they give back."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from reports.measuring.clock import Call
from sslc.runtime.features import Availability

AVAILABLE = Availability(True)
Copies = Callable[[int], int]
"""From the bytes of an operand to how many copies rotate."""


@dataclass(frozen=True)
class Setting:
    """How a product is measured.

    Attributes:
        device: Where.
        dtype: ``bf16``, ``fp32`` or ``int8``.
        tokens: Rows of x.
        threads: On a processor.
    """

    device: torch.device
    dtype: str
    tokens: int
    threads: int


@dataclass(frozen=True, eq=False)
class Prepared:
    """A projection laid out for a candidate.

    Attributes:
        calls: For x of shape (tokens, n): the product with each copy.
        weight_bytes: That a call reads of the weights.
    """

    calls: Callable[[Tensor], list[Call]]
    weight_bytes: int
