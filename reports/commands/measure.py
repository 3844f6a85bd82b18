"""``sslc measure``: runtimes on the device at hand."""

from typing import Annotated

import typer

from reports.commands.options import ArtifactPath, DeviceName, JsonFlag, Style


def measure(
    directory: ArtifactPath,
    tokens: Annotated[list[int] | None, typer.Option(min=1, help="May be repeated.")] = None,
    block: Annotated[list[int] | None, typer.Option(min=0, help="May be repeated.")] = None,
    device: DeviceName = "cpu",
    seconds: Annotated[float, typer.Option(min=0.001, help="Measuring time per kernel.")] = 0.1,
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """Runtimes on the device at hand: the dense product against what the artifact runs.

    By default block 0 at 1 and 128 tokens.

    Example: sslc measure runs/sslc --tokens 1 --tokens 128 --block 0 --device cuda
    """

    from reports.console import Reporter, say, show
    from reports.measured import describe_device
    from reports.measured import measure as run
    from reports.stored.files import save_result, subject_of
    from reports.tables.cycles import runtime_result, runtime_table
    from sslc.model.devices import find_device
    from workloads.artifact.read import open_artifact

    target = find_device(device)
    artifact = open_artifact(directory)
    with Reporter() as reporter:
        runtimes = run(artifact, tokens or [1, 128], block or [0], target, seconds, reporter)
    subject, found = subject_of(artifact), describe_device(target)
    result = runtime_result(subject, found, runtimes)
    show([runtime_table([result])], style, as_json, result)
    say(f"wrote {save_result(directory, f'runtime-{target.type}', result)}")
