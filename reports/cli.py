"""The command ``sslc``: subcommands, and errors as one sentence with exit code 2."""

import sys
import warnings
from typing import Annotated, TextIO

import typer

from reports.commands import (
    attention,
    compress,
    costs,
    demo,
    doctor,
    evaluate,
    export,
    measure,
    recover,
    report,
    reproduce,
    run,
    simulate,
    sweep,
    verify,
)
from reports.commands.list import list_names
from reports.commands.show import show_path
from reports.interruption import Interrupted, end, interruptible
from workloads.support.errors import InputError, InputWarning, printable

_python_shows = warnings.showwarning
app = typer.Typer(
    name="sslc",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        from workloads.results.identity import version

        print(version())
        raise typer.Exit


@app.callback()
def sslc(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    """Compress a language model into sparse plus low-rank parts, and see what it costs on an
    accelerator. Start with `sslc demo`, or stage by stage: compress, evaluate, simulate, measure,
    report.
    """


app.command()(compress.compress)
app.command()(costs.costs)
app.command()(recover.recover)
app.command()(evaluate.evaluate)
app.command()(simulate.simulate)
app.command()(attention.attention)
app.command()(sweep.sweep)
app.command()(measure.measure)
app.command()(verify.verify)
app.command()(report.report)
app.command()(reproduce.reproduce)
app.command()(export.export)
app.command("show")(show_path)
app.command("list")(list_names)
app.command()(doctor.doctor)
app.command()(run.run)
app.command()(demo.demo)


def _in_one_line(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Remarks about input as a sentence; other warnings as Python writes them."""
    if issubclass(category, InputWarning):
        print(f"sslc: note: {printable(str(message))}", file=sys.stderr)
    else:
        _python_shows(message, category, filename, lineno, file, line)


def _said(error: Exception) -> str:
    """What went wrong; of files what the system says, without its number."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def main() -> None:
    """Run the command line.

    Exit codes: 0 done, 2 bad input (one sentence on standard error), 130 and 143 ended by a signal.
    """
    warnings.showwarning = _in_one_line
    try:
        with interruptible():
            app()
    except Interrupted as interruption:
        end(interruption.number)
    except (InputError, OSError) as error:
        print(f"sslc: {printable(_said(error))}", file=sys.stderr)
        sys.exit(2)
    except MemoryError as error:
        print(f"sslc: not enough memory here ({printable(str(error))})", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
