"""The reference of a machine's TOML file, of cost tables, and the presets."""

import dataclasses
from functools import partial

from accelerator_sim.machine.catalog import accelerator_names, load_accelerator, load_cost_table
from accelerator_sim.machine.costs import AreaTable, EnergyTable
from accelerator_sim.machine.hardware import Accelerator
from docs.programs.references.fields import Asked, fields_table
from docs.programs.references.markdown import code, prose, table
from docs.programs.references.readers import readers
from workloads.support.docstrings import attribute_docs, summary

_UNITS = {
    "lines": "lines",
    "macs_per_line": "MACs per cycle",
    "denser_lines": "lines",
    "dense_threshold": "share of rows",
    "rows": "rows",
    "columns": "columns",
    "tokens": "tokens",
    "weight": "bits",
    "activation": "bits",
    "factor": "bits",
    "accumulator": "bits",
    "efficiency": "share",
    "refresh_share": "share of time",
    "decode_queue": "products",
    "slots": "slots",
    "channels": "channels",
    "activation_banks": "banks",
    "activation_ports": "reads per cycle",
    "link_elements_per_cycle": "elements per cycle",
    "softmax_elements_per_cycle": "elements per cycle",
    "decode_per_cycle": "entries per cycle",
    "requests_per_cycle": "requests per cycle",
    "outstanding_requests": "requests",
}
_MARK, _LEAST_QUEUE = 59, 37
_WORDS = {"name": "results", "description": "lists"}


def machine_reference() -> str:
    """Every key of a machine's file, table by table."""
    base = load_accelerator("array-64x64")
    index = dataclasses.replace(
        base.index, format="bitmap", decode_per_cycle=_LEAST_QUEUE + 1, decode_queue="auto"
    )
    base = dataclasses.replace(base, lines=_MARK, denser_lines="auto", index=index)
    read = {key: ", ".join(sorted(rooms)) for key, rooms in readers().items()} | _WORDS
    marks = {str(_MARK): "`lines`", str(_LEAST_QUEUE): "`decode_per_cycle` − 1"}
    top = fields_table(Accelerator, partial(dataclasses.replace, base), Asked(_UNITS, read, marks))
    parts = ["## Keys at the top\n", top]
    meanings = attribute_docs(Accelerator)
    for field in dataclasses.fields(base):
        value = getattr(base, field.name)
        if not dataclasses.is_dataclass(value) or isinstance(value, type):
            continue
        of_table = {
            name.name: read[f"{field.name}.{name.name}"] for name in dataclasses.fields(value)
        }
        asked = Asked(_UNITS, of_table, marks)
        parts += [
            f"## `[{field.name}]`\n",
            f"{prose(meanings[field.name])} {prose(summary(type(value)))}\n",
            fields_table(type(value), partial(dataclasses.replace, value), asked),
        ]
    return "\n\n".join(parts)


def presets() -> str:
    """The machines that ship, side by side in what differs most."""
    machines = [load_accelerator(name) for name in accelerator_names()]
    rows = [
        [
            code(machine.name),
            f"{machine.lines} × {machine.macs_per_line}",
            f"{machine.clock_hz / 1e6:,.0f}",
            f"{machine.dram.bytes_per_second / 1e9:,.1f}",
            code(machine.index.format),
            code(machine.dataflow),
            prose(machine.description),
        ]
        for machine in machines
    ]
    headings = ["preset", "lines × MACs", "MHz", "GB/s", "index", "dataflow", "what it stands for"]
    return table(headings, rows)


def cost_reference() -> str:
    """Every key of an energy and area table, with the value of the one that ships."""
    shipped = load_cost_table()
    parts = []
    for name, cls, value in (
        ("energy", EnergyTable, shipped.energy),
        ("area", AreaTable, shipped.area),
    ):
        meanings = attribute_docs(cls)
        rows = [
            [code(field.name), prose(meanings[field.name]), _constant(getattr(value, field.name))]
            for field in dataclasses.fields(cls)
        ]
        parts += [f"## `[{name}]`\n", table(["key", "meaning", f"in `{shipped.name}`"], rows)]
    return "\n\n".join(parts)


def _constant(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{code(key)} {number:g}" for key, number in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)
