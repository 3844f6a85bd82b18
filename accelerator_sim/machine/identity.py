"""What a machine and a cost table are, for results: every field, and where it leaves its name."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from accelerator_sim.machine.catalog import accelerator_names, load_accelerator
from accelerator_sim.machine.costs import CostTable
from accelerator_sim.machine.hardware import Accelerator
from workloads.results.codec import to_json
from workloads.results.identity import CostIdentity, MachineIdentity, digest, flat

_WORDS = ("description",)


def machine_identity(
    accelerator: Accelerator, overrides: Mapping[str, Any] | None = None
) -> MachineIdentity:
    """A machine with every field, and those in which it differs from what its name means.

    Args:
        accelerator: As it was run.
        overrides: Values by dotted key that were set on a user's file; a preset's are found by
            comparing, so the same machine is called the same however it was made.
    """
    fields = _fields(accelerator)
    if accelerator.name in accelerator_names():
        preset = flat(_fields(load_accelerator(accelerator.name)))
        overrides = {key: value for key, value in flat(fields).items() if preset[key] != value}
    return MachineIdentity(accelerator.name, dict(sorted((overrides or {}).items())), fields)


def cost_identity(costs: CostTable) -> CostIdentity:
    """A cost table by its name and the hash of its constants."""
    return CostIdentity(costs.name, digest(_fields(costs)))


def _fields(of: Accelerator | CostTable) -> dict[str, Any]:
    names = (field.name for field in dataclasses.fields(of) if field.name not in _WORDS)
    return {name: to_json(getattr(of, name)) for name in names}
