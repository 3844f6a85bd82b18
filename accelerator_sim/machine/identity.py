"""What a machine and a cost table are, for results: every field, and where it leaves its name."""

import dataclasses
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accelerator_sim.machine.catalog import accelerator_names, load_accelerator, named_machine
from accelerator_sim.machine.costs import CostTable
from accelerator_sim.machine.hardware import Accelerator
from workloads.results.codec import to_json
from workloads.results.identity import CostIdentity, MachineIdentity, digest, flat
from workloads.support.errors import InputError

_WORDS = ("description",)


def machine_identity(
    accelerator: Accelerator, overrides: Mapping[str, Any] | None = None
) -> MachineIdentity:
    """A machine with every field, and those in which it differs from what its name means.

    Args:
        accelerator: As it was run.
        overrides: Values by dotted key in which it differs from a user's file; a preset's are
            found by comparing, so the same machine is called the same however it was made.
    """
    if accelerator.name in accelerator_names():
        overrides = differences(load_accelerator(accelerator.name), accelerator)
    changes = dict(sorted((overrides or {}).items()))
    return MachineIdentity(accelerator.name, changes, _fields(accelerator))


def changes_of(
    named: str | Path | Accelerator, machine: Accelerator, overrides: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    """Where a machine differs from what was named; a value that repeats its own is no change.

    Args:
        named: A preset, a TOML file, or a machine.
        machine: The same with the overrides.
        overrides: Values by dotted key.
    """
    if not overrides:
        return {}
    try:
        with warnings.catch_warnings(action="ignore"):
            return differences(named_machine(named), machine)
    except InputError:  # the file lacks what is overridden
        return overrides


def differences(base: Accelerator, changed: Accelerator) -> dict[str, Any]:
    """Fields of a machine that another one has otherwise, by dotted key.

    Args:
        base: What it is compared with.
        changed: Whose values are given.
    """
    before = flat(_fields(base))
    return {key: v for key, v in flat(_fields(changed)).items() if before.get(key) != v}


def cost_identity(costs: CostTable) -> CostIdentity:
    """A cost table by its name and the hash of its constants."""
    return CostIdentity(costs.name, digest(_fields(costs)))


def _fields(of: Accelerator | CostTable) -> dict[str, Any]:
    names = (field.name for field in dataclasses.fields(of) if field.name not in _WORDS)
    return {name: to_json(getattr(of, name)) for name in names}
