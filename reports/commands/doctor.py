"""``sslc doctor``: what this machine has, and what is missing for what."""

from typing import Annotated

import typer

from reports.commands.options import JsonFlag, Style


def doctor(
    compile_kernels: Annotated[
        bool,
        typer.Option(
            "--compile", help="Only compile the simulator's kernels now, so that no run has to."
        ),
    ] = False,
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """What this machine has: processor, memory, kernels, CUDA, extras, tools, cache; and what
    is missing.

    Nothing that is missing stops a command that does not need it. What is wrong does.

    Example: sslc doctor

    Example: sslc doctor --json

    Example: sslc doctor --compile
    """
    if compile_kernels:
        _compile()
        return
    from reports.console import say, show
    from reports.machine_check import check_machine, machine_table

    check = check_machine()
    show([machine_table(check)], style, as_json=as_json, details=check)
    wrong = [finding.name for finding in check.findings if finding.state == "wrong"]
    missing = any(finding.state == "missing" for finding in check.findings)
    well = (
        "nothing is wrong" + missing * "; what is missing is needed only for what stands beside it"
    )
    say(f"wrong: {', '.join(wrong)}" if wrong else well)


def _compile() -> None:
    """Fill the cache of compiled kernels; what takes time says so."""
    from accelerator_sim.planning.warming import compile_kernels
    from reports.console import Reporter, say

    with Reporter():
        compile_kernels()
    say("the simulator's kernels are compiled")
