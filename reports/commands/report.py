"""``sslc report``: tables, figures and a page from what other commands left behind."""

from pathlib import Path
from typing import Annotated

import typer

from reports.commands.options import Columns, JsonFlag, Names, Style, check_place, several
from workloads.support.wording import counted


def report(
    directories: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="DIR...",
            show_default="none, with --measured",
            help="Artifacts with results, or other directories that hold them.",
        ),
    ] = None,
    measured: Annotated[
        list[Path] | None,
        typer.Option(
            show_default="none",
            help="A file of sslc measure or of a benchmark, as in docs/measured; may be repeated.",
        ),
    ] = None,
    compare: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="OTHER",
            show_default="none",
            help="Another run to set beside DIR; may be repeated for its parts.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            callback=check_place,
            file_okay=False,
            show_default="only print",
            help="Directory for tables, figures and a page.",
        ),
    ] = None,
    name: Names = None,
    columns: Columns = None,
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """Tables, figures and one HTML page from what evaluate, simulate and measure left.

    Example: sslc report runs/wanda runs/sslc --format latex --columns Module,Dense,Sum,Speedup

    Example: sslc report runs/sslc --compare runs/sslc-60 --out runs/report

    Example: sslc report runs/sslc --name "SmolLM2 135M" --name array-64x64=ours --out runs/report

    Example: sslc report --measured docs/measured/nvidia-h100-80gb-hbm3.json
    """
    from reports.console import Reporter, say, show
    from reports.page.two_runs import comparison_table
    from reports.report import Recordings, gather, named, tables_of, write_report
    from workloads.support.errors import InputError

    if not directories and not measured:
        raise InputError("report: give directories with results, or --measured FILE")
    material = gather(directories or (), measured or ())
    shown = named(material, name or ())
    comparison = None
    if compare:
        names = tuple(" and ".join(map(str, paths or ())) for paths in (directories, compare))
        comparison = comparison_table(material, gather(compare), names=(names[0], names[1]))
    show(
        [*tables_of(shown), *([comparison] if comparison else [])], style, as_json=as_json,
        columns=several(columns), results=material.results,
        details=Recordings(material.recorded) if material.recorded else None,
    )  # fmt: skip
    if out is not None:
        with Reporter() as reporter:
            paths = write_report(shown, [], out, comparison=comparison, progress=reporter)
        say(f"wrote {counted(len(paths), 'file')}; open {paths[0]}")
