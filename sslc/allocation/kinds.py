"""Ways to divide a budget between blocks and projections, by name."""

from collections.abc import Mapping
from typing import Any

from sslc.allocation.owl import Owl
from sslc.allocation.shares import Hardware
from workloads.support.errors import InputError, unknown_name
from workloads.support.presets import build

UNIFORM, OWL, HARDWARE = "uniform", "owl", "hardware"
ALLOCATIONS = {
    UNIFORM: "every projection keeps the same share",
    OWL: "blocks with more outliers keep more (Yin et al. 2023)",
    HARDWARE: "least calibrated loss within a budget of cycles, energy or DRAM bytes on a machine",
}
"""What each is, in words."""


def read_allocation(name: str, settings: Mapping[str, Any]) -> Owl | Hardware | None:
    """An allocation as a user names it; None for the uniform one.

    Args:
        name: ``uniform``, ``owl`` or ``hardware``.
        settings: Its settings by name.

    Raises:
        InputError: The name or a setting is unknown, or a value is out of range.
    """
    if name not in ALLOCATIONS:
        raise unknown_name("allocation", name, ALLOCATIONS)
    if name == OWL:
        return build(Owl, settings, "allocation owl")
    if name == HARDWARE:
        return build(Hardware, settings, "allocation hardware")
    if settings:
        raise InputError(f"{min(settings)} is set, but the uniform allocation has no settings")
    return None
