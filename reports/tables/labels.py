"""What rows are called, and which of their differences need a column: for every table of results.

Results are set side by side only with what tells them apart: a name that stands for two things
gets a hash, and what differs between rows, be it blocks, costs or a version, gets a column. What
all rows share is one note.
"""

import re
from collections.abc import Mapping, Sequence

from accelerator_sim.models.cycles_result import CyclesResult
from workloads.artifact.storage import FLOAT_BYTES
from workloads.results.identity import Provenance, distinguished, method_labels
from workloads.results.table import Cell, Column

_FORMAT = re.compile(r"\w+")


def machine_labels(results: Sequence[CyclesResult]) -> list[str]:
    """What rows call their accelerators, such as ``vitcod + lines=32``."""
    machines = [result.identity.machine for result in results]
    return distinguished([m.label for m in machines], [m.sha256 for m in machines])


def cycle_labels(results: Sequence[CyclesResult]) -> list[tuple[str, str, str, int]]:
    """Model, method, accelerator and tokens of every result."""
    subjects = [result.identity.subject for result in results]
    parts = zip(
        subjects,
        method_labels(subjects),
        machine_labels(results),
        (result.identity.workload.tokens for result in results),
        strict=True,
    )
    return [(subject.model, method, machine, tokens) for subject, method, machine, tokens in parts]


def cycle_differences(results: Sequence[CyclesResult]) -> Mapping[str, Sequence[Cell]]:
    """What may differ between results of cycles besides what every row says, by heading."""
    identities = [result.identity for result in results]
    costs = distinguished([i.costs.name for i in identities], [i.costs.sha256 for i in identities])
    return {
        "Blocks": [_blocks(i.workload.blocks, i.workload.of_blocks) for i in identities],
        "Costs": list(costs),
        "Bits W/UV/X": [i.machine.bits for i in identities],
        "Context": [i.workload.context for i in identities],
        "Masks": [i.subject.masks for i in identities],
        "Work": distinguished(["same"] * len(results), [i.workload.sha256 for i in identities])
        if _same_label(results)
        else ["same"] * len(results),
        "Version": versions([result.provenance for result in results]),
    }


def versions(origins: Sequence[Provenance]) -> list[str]:
    """Versions of the project, with the commit where it is known."""
    return [
        f"{origin.version} ({origin.commit})" if origin.commit else origin.version
        for origin in origins
    ]


def split(
    differences: Mapping[str, Sequence[Cell]],
) -> tuple[dict[str, Sequence[Cell]], dict[str, Cell]]:
    """Columns that vary over the rows, and the values that all rows share."""
    varying = {name: cells for name, cells in differences.items() if len(set(cells)) > 1}
    shared = {name: cells[0] for name, cells in differences.items() if len(set(cells)) == 1}
    return varying, shared


def columns(names: Mapping[str, Sequence[Cell]]) -> tuple[Column, ...]:
    """A column for each name."""
    return tuple(Column(name) for name in names)


def bits_note(results: Sequence[CyclesResult]) -> str:
    """At which widths cycles were counted, and at which accuracy was measured."""
    machines = sorted({result.identity.machine.bits for result in results})
    dtypes = {result.identity.subject.stored_dtype for result in results}
    stored = sorted(dtype for dtype in dtypes if dtype)
    note = (
        f"Cycles are those of {' and '.join(machines)} bits (weights/factors/activations) on the "
        "machine."
    )
    if stored:
        note += f" The artifact stores {' and '.join(stored)}, at which perplexity is measured: "
        rounded = not any(
            part in FLOAT_BYTES for dtype in stored for part in _FORMAT.findall(dtype)
        )
        note += (
            "activations are not rounded there."
            if rounded
            else "no accuracy was measured at the machine's bits."
        )
    return note


def _same_label(results: Sequence[CyclesResult]) -> bool:
    """Whether one model by one method stands here with two workloads of the same size."""
    seen: dict[tuple[object, ...], str] = {}
    for result, label in zip(results, cycle_labels(results), strict=True):
        work = result.identity.workload
        key = (*label[:2], result.identity.subject.masks, work.blocks)
        if seen.setdefault(key, work.sha256) != work.sha256:
            return True
    return False


def _blocks(blocks: int, of_blocks: int | None) -> str:
    return f"{blocks}" if of_blocks is None else f"{blocks} of {of_blocks}"
