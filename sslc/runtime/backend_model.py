"""An artifact as a transformers model whose projections run on a backend: for use, not training."""

from typing import Any

import torch
from torch import nn

from sslc.model.loading import build_model
from sslc.model.weights import to_numpy, to_torch
from sslc.runtime.backends import Backend, Projection, choose_backend
from sslc.runtime.features import NotAvailableError
from sslc.runtime.linear import CompressedLinear
from workloads.artifact.read import Artifact
from workloads.artifact.record import CompressedTensors
from workloads.support.errors import InputError

DTYPES = {
    "cpu": {torch.float32: "F32", torch.bfloat16: "BF16"},
    "cuda": {torch.bfloat16: "BF16", torch.float16: "F16"},
}
"""What kernels take, by type of device."""


def load_on_backend(
    artifact: Artifact, dtype: torch.dtype, *, backend: str, device: torch.device
) -> Any:
    """A transformers causal LM whose compressed projections are ``CompressedLinear``.

    Args:
        artifact: The compressed model.
        dtype: Of every tensor; the CPU takes float32 and bfloat16, a GPU bfloat16 and float16.
        backend: A name of ``backends.BACKENDS``, or ``auto`` for the best of the device.
        device: Where it runs.

    Returns:
        A ``PreTrainedModel`` in evaluation mode on that device; nothing requires gradients.

    Raises:
        InputError: The backend cannot run here or not in this dtype, or the artifact is broken.
    """
    chosen = _chosen(backend, device, dtype)

    def layer(stored: CompressedTensors, dtype: torch.dtype) -> nn.Module:
        projection = stored_projection(stored, dtype)
        return CompressedLinear(projection, backend=chosen.name, device=device.type)

    return build_model(artifact, dtype, layer).to(device)


def _chosen(name: str, device: torch.device, dtype: torch.dtype) -> Backend:
    """The backend, once it is known that it runs here.

    Raises:
        InputError: It does not, there or in this dtype.
    """
    try:
        backend = choose_backend(name, device=device.type)
    except NotAvailableError as error:
        raise InputError(str(error)) from error
    if backend.device != device.type:
        raise InputError(f"backend {name!r} runs on {backend.device}, not on {device.type}")
    if dtype not in DTYPES[backend.device]:
        names = " or ".join(DTYPES[backend.device].values())
        raise InputError(f"backend {backend.name!r} takes the dtype {names}")
    return backend


def stored_projection(stored: CompressedTensors, dtype: torch.dtype) -> Projection:
    """What an artifact stores of a projection, values and factors rounded to a dtype."""
    values, u, v = (
        to_numpy(to_torch(array).to(dtype)) for array in (stored.values, stored.u, stored.v)
    )
    bias = None if stored.bias is None else to_numpy(to_torch(stored.bias).to(dtype).float())
    return Projection(stored.mask.bits, values, stored.mask.columns, u, v, bias)
