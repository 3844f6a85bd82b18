"""``sslc trace``: what every unit of the machine does in every cycle, for a timeline viewer."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reports.commands.options import (
    AcceleratorName,
    ArtifactPath,
    JsonFlag,
    Settings,
    Style,
    Tokens,
    parse_settings,
)

if TYPE_CHECKING:
    from workloads.artifact import Artifact
    from workloads.masks import SparseLowRankGemm


def trace(
    directory: ArtifactPath,
    projection: Annotated[str, typer.Option(help="Name, or its end, such as q_proj.")] = "q_proj",
    block: Annotated[int, typer.Option(min=0, help="Block of the model.")] = 0,
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("trace.json"),
    accelerator: AcceleratorName = "array-64x64",
    tokens: Tokens = 1,
    settings: Settings = None,
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """Timeline of one projection, dense and compressed, for ui.perfetto.dev or chrome://tracing.

    Example: sslc trace runs/sslc --projection up_proj --block 3 --out trace.json
    """
    from accelerator_sim.catalog import load_accelerator
    from accelerator_sim.planning import plan_dense, plan_projection
    from accelerator_sim.trace import chrome_trace, run_traced
    from reports.console import say, show
    from reports.tables import Column, Table
    from workloads.artifact import open_artifact
    from workloads.files import write_json

    machine = load_accelerator(accelerator, parse_settings(settings))
    item = _find(open_artifact(directory), block, projection, tokens)
    plans = {
        "dense": plan_dense(item.gemm, machine),
        "compressed": plan_projection(item, machine),
    }
    runs = [(name, *run_traced(plan)) for name, plan in plans.items()]
    write_json(out, chrome_trace(runs))
    columns = (Column("Run"), *(Column(n, ",d") for n in ("Cycles", "Tiles", "Operations")))
    rows = tuple((name, run.cycles, run.tiles, len(done)) for name, run, done in runs)
    title = f"Block {block}, {projection}, {tokens} tokens on {machine.name}: traced"
    results = [{"run": name, **run.to_dict()} for name, run, _ in runs]
    show([Table("trace", title, columns, rows)], style, as_json, results)
    say(f"wrote {out}")


def _find(artifact: "Artifact", block: int, name: str, tokens: int) -> "SparseLowRankGemm":
    from workloads.errors import InputError, unknown_name

    found = {item.gemm.name: item for i, item in artifact.projections(tokens) if i == block}
    if not found:
        raise InputError(f"--block must be less than {len(artifact.blocks)}, got {block}")
    matching = [full for full in found if f".{full}".endswith(f".{name}")]
    if not matching:
        raise unknown_name("projection", name, found)
    return found[matching[0]]
