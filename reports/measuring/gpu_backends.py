"""What only a GPU has: a dense kernel of our own for one token, and torch's 2:4 products."""

import importlib.util

from torch import Tensor, tensor
from torch.sparse import to_sparse_semi_structured

from reports.measuring.prepared import AVAILABLE, Setting
from sslc.runtime.features import Availability
from workloads.support.extras import how_to_install


def own_dense_available(setting: Setting) -> Availability:
    """Whether our dense kernel can run."""
    if setting.dtype != "bf16":
        return Availability(False, f"takes 16-bit values, not {setting.dtype}")
    if setting.tokens > 1:
        return Availability(False, "made for one token")
    if importlib.util.find_spec("triton") is None:
        return Availability(False, f"needs Triton: {how_to_install('gpu')}")
    return AVAILABLE


def two_of_four_available(setting: Setting) -> Availability:
    """Whether torch has 2:4 products here."""
    if setting.device.type != "cuda":
        return Availability(False, "needs a CUDA device")
    if setting.dtype != "bf16":
        return Availability(False, f"takes 16-bit values, not {setting.dtype}")
    return AVAILABLE


def two_of_four(weight: Tensor) -> Tensor:
    """The first and third of every four columns, as torch's semi-structured matrix.

    Args:
        weight: m×n on a CUDA device, n a multiple of 4.
    """
    kept = tensor([1, 0, 1, 0], device=weight.device, dtype=weight.dtype)
    structured: Tensor = to_sparse_semi_structured(weight * kept.repeat(weight.shape[1] // 4))
    return structured
