"""What calibration says about a projection's inputs."""

from dataclasses import dataclass

import torch
from scipy.linalg.blas import ssyrk


@dataclass(frozen=True, eq=False)
class InputStatistics:
    """Statistics of one projection's calibration inputs X (n × tokens).

    Attributes:
        norms: d_j = ‖X_j‖₂ per input channel, shape (n,), float32.
        means: Mean of each input channel, shape (n,), float32.
        variances: Variance of each input channel, shape (n,), float32.
        hessian: X Xᵀ, shape (n, n), float32; None unless a method asks for it.
        gradient: Root of the sum over calibration windows of squared gradients of the projection's
            weights, shape (m, n), float32 (``gradients.py``); None unless a method asks for it.
        module: Where the projection stands: ``MHA`` or ``FFN``; empty when not known.
        routed_tokens: Of an expert's projection: how many tokens the router sent to it.
    """

    norms: torch.Tensor
    means: torch.Tensor
    variances: torch.Tensor
    hessian: torch.Tensor | None = None
    gradient: torch.Tensor | None = None
    module: str = ""
    routed_tokens: int | None = None

    def scale(self) -> torch.Tensor:
        """d_j with dead channels lifted to 1e-6 times the mean, so that dividing by it is safe.

        Returns:
            Shape (n,), positive; all ones when every channel is dead.
        """
        mean = self.norms.mean()
        if mean == 0:
            return torch.ones_like(self.norms)
        return self.norms.clamp(min=float(1e-6 * mean))

    def damped_hessian(self, damping: float) -> torch.Tensor:
        """X Xᵀ + damping · mean(diag) · I in float64, dead channels with 1 on the diagonal.

        Args:
            damping: Share of the mean diagonal.

        Raises:
            ValueError: The statistics were collected without the Hessian.
        """
        if self.hessian is None:
            raise ValueError("this method needs the Hessian of the inputs")
        hessian = self.hessian.double()
        diagonal = hessian.diagonal()
        diagonal[diagonal == 0] = 1
        diagonal += damping * diagonal.mean()
        return hessian

    def relative_gradient(self) -> torch.Tensor:
        """The gradient, shifted and scaled to [0, 1] over the matrix; ones when it is constant.

        Raises:
            ValueError: The statistics were collected without gradients.

        Source: the operation mms of Pruner-Zero (Dong et al. 2024); a constant gradient, for which
            it divides zero by zero, is ours.
        """
        if self.gradient is None:
            raise ValueError("this method needs the gradients of the weights")
        low, high = self.gradient.aminmax()
        if low == high:
            return torch.ones_like(self.gradient)
        return (self.gradient - low) / (high - low)


class InputSums:
    """Accumulates input statistics over calibration, as a forward pre-hook of a linear layer."""

    def __init__(self, columns: int, device: torch.device, *, hessian: bool) -> None:
        self.tokens = 0
        self._sums = torch.zeros(columns, dtype=torch.float64)
        self._squares = torch.zeros(columns, dtype=torch.float64)
        self._products = torch.zeros(columns, columns, device=device) if hessian else None

    def __call__(self, _module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        """Add one batch of inputs, shape (..., n)."""
        flat = inputs[0].reshape(-1, inputs[0].shape[-1])
        self.tokens += len(flat)
        self._sums += flat.sum(dim=0).double().cpu()
        self._squares += flat.square().sum(dim=0).double().cpu()
        if self._products is not None:
            _add_products(self._products, flat)

    def statistics(self, device: torch.device) -> InputStatistics:
        """The statistics so far, on a device."""
        means = self._sums / self.tokens
        variances = (self._squares / self.tokens - means.square()).clamp(min=0)
        vectors = (self._squares.sqrt(), means, variances)
        norms, means, variances = (vector.float().to(device) for vector in vectors)
        products = self._products
        if products is not None and products.device.type == "cpu":
            products = torch.tril(products).add_(torch.tril(products, -1).T)
        return InputStatistics(norms, means, variances, products)


def _add_products(products: torch.Tensor, inputs: torch.Tensor) -> None:
    """Add Σ x xᵀ over inputs (tokens × n); on the CPU to the lower triangle alone.

    A symmetric product takes half the time of a general one; torch has none.
    """
    if products.device.type != "cpu":
        products.addmm_(inputs.T, inputs)
        return
    columns = inputs.contiguous().numpy().T
    ssyrk(1.0, columns, beta=1.0, c=products.numpy().T, overwrite_c=True)
