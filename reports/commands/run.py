"""``sslc run``: a study, stage by stage, from one file."""

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from reports.commands.options import JsonFlag, Style


def run(
    context: typer.Context,
    study: Annotated[
        Path,
        typer.Argument(
            metavar="STUDY.toml",
            help="The stages, begun with `sslc list studies --toml NAME`. Paths in it are relative "
            "to its folder.",
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the whole file and say what would run.")
    ] = False,
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """Run the stages of a study in order: compress, evaluate, simulate, measure, sweep, report.

    A stage is a table [stages.NAME] with run = COMMAND and the command's options by their names;
    {NAME} in a value is the folder of a stage before it, {out} its own. The whole file is checked
    before the first stage begins. A stage whose settings, inputs and result are unchanged is
    skipped; a killed run goes on where it was.

    Example: sslc run study.toml --dry-run

    Example: sslc run study.toml
    """
    from reports.chain.following import follow, look, prepare_all, study_table
    from reports.chain.study_file import read_study
    from reports.console import say, show

    parsed = read_study(study)
    with contextlib.chdir(study.parent):
        prepared = prepare_all(parsed, context.parent)
        report = look(parsed, prepared) if dry_run else follow(parsed, prepared, say)
    show([study_table(report)], style, as_json=as_json, details=report)
