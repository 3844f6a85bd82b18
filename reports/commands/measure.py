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

    By default block 0 at 1 and 128 tokens. The result is saved in the artifact; on another device,
    or with other tokens or blocks, it is saved beside it.

    Example: sslc measure runs/sslc --tokens 1 --tokens 128 --block 0 --device cuda
    """
    from reports.console import Reporter, say, show
    from reports.measured import measure_artifact
    from reports.stored.files import save_result
    from reports.tables.runtime import runtime_table
    from sslc.model.devices import find_device
    from workloads.artifact.read import open_artifact

    target = find_device(device)
    artifact = open_artifact(directory)
    with Reporter() as reporter:
        result = measure_artifact(
            artifact,
            tokens=tokens or (1, 128),
            blocks=block or (0,),
            device=target,
            seconds=seconds,
            progress=reporter,
        )
    show([runtime_table([result])], style, as_json=as_json, results=[result])
    say(f"wrote {save_result(directory, result)}")
