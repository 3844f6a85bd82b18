"""Ways to run a compressed projection, behind one interface; another one is one more line here."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from numpy.typing import NDArray

from sslc.runtime.features import Availability, NotAvailableError
from workloads.support.errors import unknown_name


@dataclass(frozen=True, eq=False)
class Projection:
    """W ≈ S + U Vᵀ as an artifact stores it.

    Attributes:
        mask: Bits of each row, lowest first, padded to whole bytes: shape (m, ⌈n/8⌉), uint8.
        values: Kept values in row-major order, shape (nonzeros,): bf16, fp32, or int8 with scales.
        columns: n.
        u: m×r, or None for rank 0.
        v: n×r.
        bias: Shape (m,), or None.
        scales: For int8 one for each 128 columns of a row, shape (m, ⌈n/128⌉); else None.
    """

    mask: NDArray[Any]
    values: NDArray[Any]
    columns: int
    u: NDArray[Any] | None = None
    v: NDArray[Any] | None = None
    bias: NDArray[Any] | None = None
    scales: NDArray[Any] | None = None


class Operator(Protocol):
    """A projection laid out for a backend."""

    @property
    def weight_bytes(self) -> int:
        """What is kept of the projection."""
        ...

    @property
    def extra_bytes(self) -> int:
        """The most that a call takes for expanded rows, beside x and y."""
        ...

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """The product for x of shape (tokens, n): shape (tokens, m), in the dtype of x."""
        ...


@dataclass(frozen=True)
class Backend:
    """One way to run a projection.

    Attributes:
        name: As the user writes it.
        device: Type of torch's device it runs on.
        availability: Whether it can run here, and why not.
        prepare: Lays a projection out.
    """

    name: str
    device: str
    availability: Callable[[], Availability]
    prepare: Callable[[Projection], Operator]


BACKENDS = {
    "cpu": "sslc.runtime.cpu_operator:BACKEND",
    "cuda": "sslc.runtime.gpu_operator:CUDA",
    "triton": "sslc.runtime.gpu_operator:TRITON",
}
"""Where each backend is, best first for its device."""


def load_backend(name: str) -> Backend:
    """A backend by its name.

    Raises:
        InputError: If there is none of that name.
    """
    if name not in BACKENDS:
        raise unknown_name("backend", name, BACKENDS)
    module, _, attribute = BACKENDS[name].partition(":")
    backend: Backend = getattr(importlib.import_module(module), attribute)
    return backend


def choose_backend(name: str, *, device: str) -> Backend:
    """The backend of that name, or for ``"auto"`` the first of a device that can run here.

    Raises:
        NotAvailableError: If it cannot run here; the message says why.
        InputError: If there is none of that name.
    """
    candidates = [load_backend(known) for known in (BACKENDS if name == "auto" else [name])]
    if name == "auto":
        candidates = [backend for backend in candidates if backend.device == device]
    reasons = []
    for backend in candidates:
        availability = backend.availability()
        if availability.available:
            return backend
        reasons.append(f"{backend.name} is not available: {availability.reason}")
    raise NotAvailableError("; ".join(reasons) or f"no backend runs on {device}")
