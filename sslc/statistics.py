"""What calibration says about a projection's inputs."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class InputStatistics:
    """Statistics of one projection's calibration inputs X (n × tokens).

    Attributes:
        norms: d_j = ‖X_j‖₂ per input channel, shape (n,), float32.
    """

    norms: torch.Tensor

    def scale(self) -> torch.Tensor:
        """d_j with dead channels lifted to 1e-6 times the mean, so that dividing by it is safe.

        Returns:
            Shape (n,), positive; all ones when every channel is dead.
        """
        mean = self.norms.mean()
        if mean == 0:
            return torch.ones_like(self.norms)
        return self.norms.clamp(min=float(1e-6 * mean))


class InputNorms:
    """Accumulates squared input norms over calibration, as a forward pre-hook of a linear layer."""

    def __init__(self, columns: int) -> None:
        self._squares = torch.zeros(columns, dtype=torch.float64)

    def __call__(self, _module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        """Add one batch of inputs, shape (..., n)."""
        flat = inputs[0].reshape(-1, inputs[0].shape[-1])
        self._squares += flat.square().sum(dim=0).double().cpu()

    def statistics(self, device: torch.device) -> InputStatistics:
        """The statistics so far, on a device."""
        return InputStatistics(self._squares.sqrt().float().to(device))
