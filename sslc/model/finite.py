"""Numbers that are not finite: never written, and found by name when a result is not a number."""

import torch

from sslc.model.config import load_config
from sslc.model.names import HEAD, weight_name
from sslc.model.shapes import expected_shapes
from sslc.model.source import TORCH_DTYPES, WeightSource
from workloads.support.errors import InputError


def is_finite(tensor: torch.Tensor) -> bool:
    """Whether every entry is a finite number; without a temporary of the tensor's size."""
    return not tensor.numel() or bool(torch.isfinite(torch.stack(tensor.aminmax())).all())


def rounded(tensor: torch.Tensor, dtype: str, *, name: str) -> torch.Tensor:
    """A tensor in a dtype in which all its entries are finite.

    Args:
        tensor: Any.
        dtype: ``BF16``, ``F16`` or ``F32``.
        name: What the error calls the tensor.

    Raises:
        InputError: An entry is not finite, or would not be in that dtype.
    """
    result = tensor.to(TORCH_DTYPES[dtype])
    if not is_finite(result):
        if not is_finite(tensor):
            raise InputError(f"{name} is not finite (NaN or infinite); mend the weights")
        largest = float(tensor.abs().max())
        raise InputError(f"{name} reaches {largest:.3g}, which is not finite in {dtype}; give F32")
    return result


def not_finite(source: WeightSource, what: str = "what the model computes") -> InputError:
    """The error for a result that is no number: it names the first tensor that is not finite.

    Args:
        source: The model.
        what: Was not finite, for the case that every tensor is.

    Returns:
        The error, to be raised by the caller.
    """
    expected = (name for name, _ in expected_shapes(load_config(source.directory)))
    for name in dict.fromkeys((*expected, weight_name(HEAD))):
        if name in source.names() and not is_finite(source.tensor(name)):
            return InputError(f"{source.directory}: tensor {name} is not finite (NaN or infinite)")
    return InputError(
        f"{source.directory}: every tensor is finite, but {what} is not: "
        "the weights are too large for this arithmetic"
    )
