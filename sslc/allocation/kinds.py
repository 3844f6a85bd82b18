"""Ways to divide a budget between blocks and projections, by name."""

from collections.abc import Mapping
from typing import Any

from sslc.allocation.owl import Owl
from workloads.support.errors import InputError, unknown_name
from workloads.support.presets import build

UNIFORM, OWL = "uniform", "owl"
ALLOCATIONS = {
    UNIFORM: "every projection keeps the same share",
    OWL: "blocks with more outliers keep more (Yin et al. 2023)",
}
"""What each is, in words."""


def read_allocation(name: str, settings: Mapping[str, Any]) -> Owl | None:
    """An allocation as a user names it; None for the uniform one.

    Args:
        name: ``uniform`` or ``owl``.
        settings: Its settings by name.

    Raises:
        InputError: The name or a setting is unknown, or a value is out of range.
    """
    if name not in ALLOCATIONS:
        raise unknown_name("allocation", name, ALLOCATIONS)
    if name == OWL:
        return build(Owl, settings, "allocation owl")
    if settings:
        raise InputError(f"{min(settings)} is set, but the uniform allocation has no settings")
    return None
