"""Tables that programs write into pages, and a mark of what they were made from.

A part of a page between ``<!-- made: NAME by PROGRAM on MACHINES, HASH -->`` and ``<!-- end -->``
is its program's. The hash is of all fields of these machines, of the built-in cost table and of a
small run on each: a test fails when a page's numbers are of other machines, costs or engines than
those of today. Only another planner goes unseen.
"""

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from accelerator_sim.machine.catalog import (
    accelerator_names,
    accelerator_table,
    load_accelerator,
    load_cost_table,
    with_overrides,
)
from accelerator_sim.models.energy import area, energy
from accelerator_sim.planning.planner import plan_projection
from accelerator_sim.simulation.compiled import run_compiled
from docs.programs.pages import ROOT
from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.results.table import Table, alignment, written_rows
from workloads.shapes.gemm import Gemm
from workloads.support.errors import printable
from workloads.support.files import write_atomic

ALL = "all presets"
_PART = re.compile(
    r"^<!-- made: (?P<name>\S+) by (?P<program>\S+) on (?P<machines>[^,\n]+), (?P<hash>\w+) -->\n"
    r"(?P<body>.*?)^<!-- end -->$",
    re.MULTILINE | re.DOTALL,
)
_TILE = {"tile.rows": 16, "tile.columns": 64, "tile.tokens": 4}


@dataclass(frozen=True)
class Part:
    """A part of a page that a program wrote.

    Attributes:
        name: In its page.
        program: Module.
        machines: Presets, with spaces between, or ``ALL``.
        fingerprint: Of what it was made from.
    """

    name: str
    program: str
    machines: str
    fingerprint: str


def parts_of(page: str) -> Iterator[Part]:
    """The made parts of a page's text."""
    for found in _PART.finditer(page):
        yield Part(found["name"], found["program"], found["machines"], found["hash"])


def write_made(page: str, tables: Mapping[str, Table]) -> None:
    """Put tables into their parts of a page; other parts stay.

    Args:
        page: Path from the root of the project.
        tables: By the name of the part.

    Raises:
        KeyError: The page has no such part.
    """
    path = ROOT / page
    text = path.read_text(encoding="utf-8")
    missing = tables.keys() - {part.name for part in parts_of(text)}
    if missing:
        raise KeyError(f"{page} has no part {min(missing)}")

    def filled(found: re.Match[str]) -> str:
        if found["name"] not in tables:
            return found[0]
        mark = f"{found['name']} by {found['program']} on {found['machines']}"
        table = compact(tables[found["name"]])
        return f"<!-- made: {mark}, {fingerprint(found['machines'])} -->\n{table}<!-- end -->"

    write_atomic(path, _PART.sub(filled, text).encode())


def compact(table: Table) -> str:
    """Rows and headings in Markdown, without padding, title and notes."""
    sides = {"left": "---", "right": "---:"}
    rows = [
        [printable(column.name) for column in table.columns],
        [sides.get(side, "---") for side in alignment(table)],
        *written_rows(table),
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def fingerprint(machines: str) -> str:
    """Eight digits of a hash of machines, costs, and what a small run on each gives.

    Args:
        machines: As in ``Part``.
    """
    names = accelerator_names() if machines == ALL else machines.split()
    found = [_found(name) for name in names]
    costs = dataclasses.asdict(load_cost_table())
    return hashlib.sha256(json.dumps([found, costs], sort_keys=True).encode()).hexdigest()[:8]


def _found(name: str) -> dict[str, Any]:
    """A machine's fields, without its name and description, and a run at a given tile."""
    machine, costs = load_accelerator(name), load_cost_table()
    table = accelerator_table(machine)
    result = run_compiled(plan_projection(_small(), with_overrides(machine, _TILE)))
    spent = energy(result, costs, accelerator=machine)
    return {
        "machine": {key: table[key] for key in table.keys() - {"name", "description"}},
        "cycles": [result.cycles, *map(dataclasses.astuple, result.stalls.values())],
        "energy": _rounded(dataclasses.astuple(spent)),
        "area": _rounded(dataclasses.astuple(area(machine, costs))),
    }


def _small() -> SparseLowRankGemm:
    """40 x 160 with 2 of 4 kept, rank 8, 6 tokens."""
    places = np.random.default_rng(0).random((40, 40, 4)).argsort(axis=2) < 2
    mask = PackedMask.pack(places.reshape(40, 160))
    return SparseLowRankGemm(Gemm("small", "MHA", 40, 160, 6), mask, 8)


def _rounded(values: Sequence[Any]) -> list[str]:
    return [f"{value:.6g}" for value in values if isinstance(value, int | float)]
