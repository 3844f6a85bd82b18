"""What can be named, as tables: model shapes, vision transformers, methods, accelerators."""

import json
from collections.abc import Callable

from accelerator_sim.machine.catalog import accelerator_names, load_accelerator
from workloads.results.table import Column, Table
from workloads.shapes.attention import load_vit, vit_names
from workloads.shapes.transformer import load_model, model_names


def models_table() -> Table:
    """Model shapes that ship with the package."""
    shapes = [load_model(name) for name in model_names()]
    rows = tuple(
        (s.name, s.blocks, s.hidden, s.intermediate, s.heads, s.kv_heads, s.head_dim)
        for s in shapes
    )
    headings = ("Model", "Blocks", "Hidden", "Intermediate", "Heads", "KV heads", "Head dim")
    return Table("models", "Model shapes", tuple(Column(name) for name in headings), rows)


def vit_table() -> Table:
    """Vision transformers whose attention ships with the package."""
    shapes = [load_vit(name) for name in vit_names()]
    rows = tuple((s.name, s.layers, s.tokens, s.heads, s.head_dim) for s in shapes)
    headings = ("Vision transformer", "Layers", "Tokens", "Heads", "Head dim")
    return Table("vit", "Vision transformers", tuple(Column(name) for name in headings), rows)


def methods_table() -> Table:
    """Compression methods with their settings and defaults."""
    from sslc.methods.registry import METHODS, describe

    described = {name: describe(name) for name in METHODS}
    rows = tuple(
        (
            name,
            method.summary,
            ", ".join(f"{key}={json.dumps(value)}" for key, value in method.settings.items()),
        )
        for name, method in described.items()
    )
    columns = (Column("Method"), Column("What it does"), Column("Settings (--set KEY=VALUE)"))
    return Table("methods", "Compression methods", columns, rows)


def accelerators_table() -> Table:
    """Accelerator presets."""
    machines = [load_accelerator(name) for name in accelerator_names()]
    rows = tuple(
        (
            machine.name,
            machine.lines,
            machine.macs_per_line,
            machine.clock_hz / 1e6,
            machine.dram.bytes_per_second / 1e9,
            machine.description,
        )
        for machine in machines
    )
    columns = (
        Column("Accelerator"),
        Column("PE lines"),
        Column("MACs per line"),
        Column("Clock (MHz)", ",.0f"),
        Column("DRAM (GB/s)", ",.1f"),
        Column("What it stands for"),
    )
    return Table("accelerators", "Accelerator presets", columns, rows)


CATALOGUES: dict[str, Callable[[], Table]] = {
    "models": models_table,
    "vit": vit_table,
    "methods": methods_table,
    "accelerators": accelerators_table,
}
