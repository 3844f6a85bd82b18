"""``sslc costs``: what a model's projections cost on a machine at every share they may keep."""

from pathlib import Path
from typing import Annotated

import typer

from reports.commands import completion
from reports.commands.completion import completing
from reports.commands.compress import KeptFraction, Model, RankShare
from reports.commands.options import (
    AcceleratorName,
    CostTableName,
    JsonFlag,
    Settings,
    Style,
    Tokens,
    parse_settings,
)


def costs(
    model: Model,
    out: Annotated[Path, typer.Option(metavar="FILE.json", help="Where the cost curves go.")],
    accelerator: AcceleratorName = "array-64x64",
    tokens: Tokens = 1,
    settings: Settings = None,
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            autocompletion=completing(completion.methods),
            help="Whose budgets: how much of a share S gets, and which rank.",
        ),
    ] = "sslc",
    kept_fraction: KeptFraction = None,
    rank_share: RankShare = None,
    allocation_settings: Annotated[
        list[str] | None,
        typer.Option(
            "--allocation-set",
            metavar="KEY=VALUE",
            show_default="0.15 to 1 in steps of 0.05",
            help="The shares: fractions=[0.3,0.5,0.7], rank_shares=[0,0.0625]; may be repeated.",
        ),
    ] = None,
    energy: CostTableName = "28nm",
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """Cost curves for `sslc compress --allocation hardware --cost-curves FILE.json`.

    Simulates one projection of each shape at every share, with synthetic masks: cycles, energy and
    DRAM bytes.

    Example: sslc costs smollm2-135m --out vitcod.json --accelerator vitcod --set dram.efficiency=1
    """
    from reports.console import Reporter, say, show
    from reports.cost_curves import asked_cost_curves
    from reports.tables.costs import costs_table
    from workloads.results.cost_curves import write_cost_curves

    shares = {"kept_fraction": kept_fraction, "rank_share": rank_share}
    with Reporter() as reporter:
        curves = asked_cost_curves(
            model,
            method,
            {name: value for name, value in shares.items() if value is not None},
            allocation="hardware",
            allocation_settings=parse_settings(allocation_settings),
            accelerator=accelerator,
            tokens=tokens,
            overrides=parse_settings(settings),
            costs=energy,
            progress=reporter,
        )
    write_cost_curves(out, curves)
    show([costs_table(curves)], style, as_json=as_json)
    say(f"wrote {out}")
