"""``sslc measure``: runtimes on the device at hand, and a machine of the simulator from it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reports.commands import completion
from reports.commands.completion import completing
from reports.commands.options import DeviceName, JsonFlag, Names, Style, check_place, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.measuring.operands import MeasuredSource


def measure(
    directory: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR", show_default="none, with --shape or --calibrate", help="An artifact."
        ),
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=completing(completion.shapes),
            show_default="none",
            help="In place of DIR: a model's shape (`sslc list models`) or its TOML file, with "
            "synthetic masks.",
        ),
    ] = None,
    kept: Annotated[
        float,
        typer.Option(
            parser=share, metavar="SHARE", help="With --shape: kept share, factors included."
        ),
    ] = 0.5,
    rank_share: Annotated[
        float,
        typer.Option(
            parser=share, metavar="SHARE", help="With --shape: share of parameters in U and V."
        ),
    ] = 0.0625,
    tokens: Annotated[
        list[int] | None,
        typer.Option(min=1, show_default="1, 128", help="Per product; may be repeated."),
    ] = None,
    block: Annotated[
        list[int] | None,
        typer.Option(min=0, show_default="0", help="Which, from 0; may be repeated."),
    ] = None,
    dtype: Annotated[
        list[str] | None,
        typer.Option(
            metavar="bf16|fp32|int8",
            autocompletion=completing(lambda: ["bf16", "fp32", "int8"]),
            show_default="bf16",
            help="Of the products; may be repeated.",
        ),
    ] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option(
            show_default="all of the device",
            help="Beside the dense ones, by name; may be repeated.",
        ),
    ] = None,
    device: DeviceName = "cpu",
    threads: Annotated[
        int | None,
        typer.Option(min=1, max=1024, show_default="torch's number", help="On a processor."),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.001, help="Measuring time per backend.")] = 0.1,
    save: Annotated[
        Path | None,
        typer.Option(
            callback=check_place,
            file_okay=False,
            show_default="the artifact; of a shape nowhere",
            help="Directory for the result.",
        ),
    ] = None,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate",
            help="In place of DIR: measure this machine, and how well the simulator predicts it.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            show_default="not written",
            help="With --calibrate: write the machine to this TOML file.",
        ),
    ] = None,
    name: Names = None,
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """Runtimes on the device at hand: dense products beside what runs S + U V^T.

    By default block 0 at 1 and 128 tokens in bf16. The result is saved in the artifact; on another
    device, or with other tokens or blocks, it is saved beside it.

    Example: sslc measure runs/sslc --tokens 1 --tokens 128 --block 0 --device cuda

    Example: sslc measure --shape llama2-7b --kept 0.5 --dtype bf16 --dtype int8 --threads 1

    Example: sslc measure --calibrate --out here.toml
    """
    from reports.console import Reporter, say, show
    from reports.measuring.runtimes import DEFAULT_TOKENS, measure_source
    from reports.stored.files import save_result
    from reports.tables.naming import renamed
    from reports.tables.runtime import projection_runtime_table, runtime_table
    from sslc.model.devices import find_device
    from workloads.support.errors import InputError

    _check_one(directory, shape, calibrate)
    if out is not None and not calibrate:
        raise InputError("measure: --out belongs to --calibrate; results go to --save")
    if calibrate:
        _calibrate(threads, seconds, out, style, as_json)
        return
    target = find_device(device)
    source = _source(directory, shape, block or (0,), kept, rank_share)
    with Reporter() as reporter:
        result = measure_source(
            source, tokens=tokens or DEFAULT_TOKENS, dtypes=dtype or ("bf16",), backends=backend,
            device=target, threads=threads, seconds=seconds, progress=reporter,
        )  # fmt: skip
    shown = renamed([result], name or ())
    tables = [projection_runtime_table(shown), runtime_table(shown)]
    show(tables, style, as_json=as_json, results=[result])
    where = save or directory
    if where is not None:
        say(f"wrote {save_result(where, result)}")


def _check_one(directory: Path | None, shape: str | None, calibrate: bool) -> None:
    from workloads.support.errors import InputError

    if sum((directory is not None, shape is not None, calibrate)) != 1:
        raise InputError("measure: give one of DIR (an artifact), --shape NAME or --calibrate")


def _source(
    directory: Path | None,
    shape: str | None,
    blocks: "Sequence[int]",
    kept: float,
    rank_share: float,
) -> "MeasuredSource":
    from reports.measuring.operands import artifact_source, shape_source
    from workloads.artifact.read import open_artifact

    if directory is not None:
        return artifact_source(open_artifact(directory), blocks)
    assert shape is not None
    return shape_source(shape, blocks, kept_fraction=kept, rank_share=rank_share)


def _calibrate(
    threads: int | None, seconds: float, out: Path | None, style: str, as_json: bool
) -> None:
    from reports.console import Reporter, say, show
    from reports.measuring.prediction import predict
    from reports.measuring.this_machine import calibrate, machine_toml
    from reports.tables.predicted import calibration_table, prediction_tables
    from workloads.support.files import write_atomic

    with Reporter() as reporter:
        calibration = calibrate(threads=threads)
        prediction = predict(calibration, seconds=seconds, progress=reporter)
    tables = [calibration_table(calibration), *prediction_tables(prediction)]
    show(tables, style, as_json=as_json, details=prediction)
    if out is not None:
        write_atomic(out, machine_toml(calibration).encode())
        say(f"wrote {out}")
