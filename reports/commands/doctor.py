"""``sslc doctor``: what this machine has, and what is missing for what."""

from reports.commands.options import JsonFlag, Style


def doctor(style: Style = "text", as_json: JsonFlag = False) -> None:
    """What this machine has: processor, memory, kernels, CUDA, extras, tools, cache; what lacks.

    Nothing that is missing stops a command that does not need it. What is wrong does.

    Example: sslc doctor

    Example: sslc doctor --json
    """
    from reports.console import say, show
    from reports.machine_check import check_machine, machine_table

    check = check_machine()
    show([machine_table(check)], style, as_json=as_json, details=check)
    wrong = [finding.name for finding in check.findings if finding.state == "wrong"]
    say(f"wrong: {', '.join(wrong)}" if wrong else "nothing is wrong")
