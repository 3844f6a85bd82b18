"""The linear layer that generation uses in place of a dense one: y = S·x + U·(Vᵀx) + bias."""

import torch

from sslc.runtime.backends import Operator, Projection, choose_backend


class CompressedLinear(torch.nn.Module):
    """A compressed projection on the backend that was chosen for it; it is not trained."""

    def __init__(
        self, projection: Projection, *, backend: str = "auto", device: str = "cpu"
    ) -> None:
        """Lay a projection out for a backend.

        Args:
            projection: What an artifact stores.
            backend: A name of ``backends.BACKENDS``, or ``"auto"``.
            device: Type of torch's device.

        Raises:
            NotAvailableError: If the backend, or every backend of the device, cannot run here.
        """
        super().__init__()
        chosen = choose_backend(backend, device=device)
        self.backend_name = chosen.name
        self.in_features = projection.columns
        self.out_features = len(projection.mask)
        self.operator: Operator = chosen.prepare(projection)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The product for x of shape (..., n), in the dtype of x."""
        tokens = x.reshape(-1, self.in_features)
        if len(tokens) == 0:
            return x.new_empty((*x.shape[:-1], self.out_features))
        return self.operator(tokens).view(*x.shape[:-1], self.out_features)

    def extra_repr(self) -> str:
        """Shape and backend, for printing."""
        return f"{self.in_features}, {self.out_features}, backend={self.backend_name}"
