"""What every model is read through: dense tensors by checkpoint name, in one of three dtypes."""

from pathlib import Path
from typing import Protocol

import torch

from sslc.model.shapes import Shapes
from workloads.support.errors import unknown_name

TORCH_DTYPES = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}


def torch_dtype(name: str) -> torch.dtype:
    """A dtype by the name that safetensors has for it.

    Raises:
        InputError: It is not one of ``TORCH_DTYPES``.
    """
    if name not in TORCH_DTYPES:
        raise unknown_name("dtype", name, TORCH_DTYPES)
    return TORCH_DTYPES[name]


class WeightSource(Protocol):
    """Anything that gives a model's configuration and its dense tensors by checkpoint name."""

    @property
    def directory(self) -> Path:
        """Where the configuration and tokenizer files lie."""
        ...

    def names(self) -> frozenset[str]:
        """Every tensor's name."""
        ...

    def shapes(self) -> Shapes:
        """Shape of every tensor by name."""
        ...

    def tensor(self, name: str) -> torch.Tensor:
        """One dense tensor on the CPU, in its stored dtype."""
        ...
