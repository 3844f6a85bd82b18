"""Devices by name: where arithmetic runs, and what a vendor calls it."""

import torch

from workloads.support.devices import cpu_name
from workloads.support.errors import InputError


def find_device(name: str) -> torch.device:
    """A torch device by name.

    Raises:
        InputError: It is not a device, or not there.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"device {name!r}: not a device; give cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"device {name!r}: only cpu and cuda are supported")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device {name!r}: torch sees no CUDA device here")
    return device


def device_name(device: torch.device) -> str:
    """A device by the name that its vendor gives it."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name()
