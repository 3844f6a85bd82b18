"""``sslc simulate``: cycles of real masks on an accelerator, and a timeline of one projection."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reports.commands.completion import completing
from reports.commands.options import (
    AcceleratorName,
    Context,
    CostTableName,
    CycleModel,
    JsonFlag,
    Names,
    Settings,
    Style,
    Tokens,
    check_place,
    cycle_models,
    parse_settings,
)
from workloads.support.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from accelerator_sim.machine.hardware import Accelerator
    from accelerator_sim.models.by_name import Model
    from accelerator_sim.models.cycles_result import CyclesResult
    from accelerator_sim.sensitivity.what_if_result import WhatIfResult
    from accelerator_sim.serving.whole_model_result import WholeModelResult
    from accelerator_sim.sources import Simulated

_DENSE = 0.99


def simulate(
    directory: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR",
            show_default="none, with --mask",
            help="An artifact, or a checkpoint: its zeros are masks.",
        ),
    ] = None,
    accelerator: AcceleratorName = "array-64x64",
    cycle_model: CycleModel = "all",
    tokens: Tokens = 1,
    settings: Settings = None,
    blocks: Annotated[
        int | None,
        typer.Option(min=1, show_default="all", help="Only the first so many blocks."),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(
            show_default="none", help="In place of DIR: one mask, a .npy file of 0 and 1."
        ),
    ] = None,
    rank: Annotated[
        int | None,
        typer.Option(min=0, show_default="0", help="With --mask: rank of the low-rank part."),
    ] = None,
    module: Annotated[
        str | None,
        typer.Option(
            metavar="MHA|FFN",
            autocompletion=completing(lambda: ["MHA", "FFN"]),
            show_default="FFN",
            help="With --mask: what it belongs to, for the tables.",
        ),
    ] = None,
    context: Context = None,
    whole: Annotated[
        bool,
        typer.Option("--whole", help="A whole model that serves requests: embeddings to head."),
    ] = False,
    prompt: Annotated[
        int | None,
        typer.Option(min=1, show_default="512", help="With --whole: tokens of every prompt."),
    ] = None,
    output: Annotated[
        int | None,
        typer.Option(min=1, show_default="128", help="With --whole: tokens made for each."),
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, show_default="1", help="With --whole: sequences at once.")
    ] = None,
    kv_bits: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=64,
            show_default="activations'",
            help="With --whole: width of keys and values.",
        ),
    ] = None,
    what_if: Annotated[
        bool,
        typer.Option(
            "--what-if",
            help="Run again with each resource doubled or ideal, and print the gain of each.",
        ),
    ] = False,
    export: Annotated[
        tuple[str, Path] | None,
        typer.Option(
            metavar="FORMAT OUT",
            show_default="none",
            help="Write the times of all layers at many sizes into OUT/perf, dense and compressed, "
            "for a simulator of serving; FORMAT is llmservingsim.",
        ),
    ] = None,
    energy: CostTableName = "28nm",
    trace: Annotated[
        Path | None,
        typer.Option(
            show_default="none",
            help="Write a timeline of one projection of the first block, dense and compressed, for "
            "ui.perfetto.dev or chrome://tracing; needs the event model.",
        ),
    ] = None,
    dram_trace: Annotated[
        Path | None,
        typer.Option(
            show_default="none",
            help="Write the DRAM requests of that projection, compressed, for DRAMsim3 (FILE) and "
            "Ramulator 2 (FILE.ramulator); needs the event model.",
        ),
    ] = None,
    trace_projection: Annotated[
        str | None,
        typer.Option(
            show_default="the first", help="Which: its name or the end of it, such as down_proj."
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            callback=check_place,
            file_okay=False,
            show_default="the artifact; of a checkpoint or mask nowhere",
            help="Directory for the results.",
        ),
    ] = None,
    name: Names = None,
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """Cycles on an accelerator from real masks: of an artifact, of a checkpoint, or a single one.

    Example: sslc simulate runs/sslc --accelerator vitcod --set dram.efficiency=0.8 --tokens 16

    Example: sslc simulate runs/sslc --context 4096 --cycle-model compiled

    Example: sslc simulate runs/sslc --trace out.json --trace-projection up_proj

    Example: sslc simulate runs/sslc --whole --prompt 512 --output 128 --batch 4

    Example: sslc simulate runs/sslc --export llmservingsim runs/profile --blocks 1

    Example: sslc simulate runs/sslc --what-if --blocks 1 --tokens 16

    Example: sslc simulate runs/sslc --blocks 1 --dram-trace q_proj.trc

    Example: sslc simulate --mask layer3.npy --rank 64 --module FFN --cycle-model roofline
    """
    import accelerator_sim
    from accelerator_sim.machine.catalog import load_accelerator
    from reports.commands import whole as ways
    from reports.console import Reporter, say

    overrides = parse_settings(settings)
    requests = {"prompt": prompt, "output": output, "batch": batch}
    own = {**{f"--{key}": value for key, value in requests.items()}, "--kv-bits": kv_bits}
    others = {"--context": context, "--trace": trace, "--dram-trace": dram_trace}
    alone = {**others, "--mask": mask, "--tokens": tokens > 1}
    ask = ways.Ask(accelerator, cycle_model, overrides, blocks, energy)
    if export is not None:
        ways.refuse("--export", {**alone, "--whole": whole, "--what-if": what_if, **requests})
        source = _source(directory, mask, rank, module, tokens)
        return ways.run_export(source, ask, *export, kv_bits=kv_bits)
    ways.check_whole(whole, own, alone)
    if whole or what_if:
        source = _source(directory, mask, rank, module, tokens)
        result: WholeModelResult | WhatIfResult
        if what_if:
            ways.refuse("--what-if", {**others, "--whole": whole})
            result = ways.run_what_if(source, ask, tokens=tokens)
        else:
            result = ways.run_whole(source, ask, requests=requests, kv_bits=kv_bits)
        return ways.finish(result, save, directory, names=name, style=style, as_json=as_json)
    machine, models = load_accelerator(accelerator, overrides), cycle_models(cycle_model)
    if mask is not None and directory is None:
        _refuse_with_mask({"--blocks": blocks, "--context": context})
    source = _source(directory, mask, rank, module, tokens)
    files = {"--trace": trace, "--dram-trace": dram_trace}
    traces = _traces(source, machine, models, tokens, files, trace_projection)
    with Reporter() as reporter:
        simulated = accelerator_sim.simulate(
            source, accelerator, models=models, tokens=tokens, blocks=blocks, context=context,
            overrides=overrides, costs=energy, progress=reporter,
        )  # fmt: skip
    _show(simulated.results, name or (), style, as_json)
    for path, write in traces.items():
        say(f"wrote {path}: {write()}")
    return _finish(simulated.results, directory, save)


def _source(
    directory: Path | None,
    mask: Path | None,
    rank: int | None,
    module: str | None,
    tokens: int,
) -> "Simulated":
    """What is simulated: an artifact by its manifest, another directory as a checkpoint, or a mask.

    Raises:
        InputError: Both or neither are given, options do not go together, or it is unusable.
    """
    from workloads.artifact.read import MANIFEST, open_artifact
    from workloads.masks.foreign import open_pruned, single_projection
    from workloads.support.errors import InputError

    if directory is not None and mask is None:
        if rank is not None or module is not None:
            raise InputError("simulate: --rank and --module belong to --mask; DIR has its own")
        whole = (directory / MANIFEST).is_file()
        return open_artifact(directory) if whole else open_pruned(directory)
    if mask is None or directory is not None:
        raise InputError("simulate: give either DIR (an artifact or a checkpoint) or --mask M.npy")
    return single_projection(mask, rank or 0, tokens, module or "FFN")


def _refuse_with_mask(given: dict[str, int | None]) -> None:
    from workloads.support.errors import InputError

    for name, value in given.items():
        if value is not None:
            raise InputError(f"simulate: {name} belongs to DIR; a mask is one projection, no heads")


def _traces(
    source: "Simulated",
    machine: "Accelerator",
    models: "Sequence[Model]",
    tokens: int,
    files: dict[str, Path | None],
    name: str | None,
) -> "dict[Path, Callable[[], str]]":
    """What writes the traces that are asked for, planned before anything is simulated.

    Raises:
        InputError: They cannot be, or a projection is named for no file.
    """
    from workloads.support.errors import InputError

    asked = {option: path for option, path in files.items() if path is not None}
    if not asked:
        if name is not None:
            raise InputError("simulate: --trace-projection says what --trace FILE writes; give it")
        return {}
    if "event" not in models:
        raise InputError(
            f"simulate: {next(iter(asked))} needs the event model, and --cycle-model {models[0]} "
            "runs without it; use event or all"
        )
    from reports.timeline import plan_timeline, write_dram_trace, write_timeline

    writers = {"--trace": write_timeline, "--dram-trace": write_dram_trace}
    plans = plan_timeline(source, machine, tokens=tokens, name=name)
    return {path: partial(writers[option], path, plans) for option, path in asked.items()}


def _show(
    results: "Sequence[CyclesResult]", names: "Sequence[str]", style: str, as_json: bool
) -> None:
    from reports.console import show
    from reports.tables.cycles import speedup_table, whole_model_table
    from reports.tables.energy import energy_table
    from reports.tables.explained import explained_table
    from reports.tables.naming import renamed

    makers = (speedup_table, whole_model_table, explained_table, energy_table)
    shown = renamed(results, names)
    tables = [make(shown) for make in makers]
    show([table for table in tables if table.rows], style, as_json=as_json, results=results)


def _finish(results: "Sequence[CyclesResult]", directory: Path | None, save: Path | None) -> None:
    """Say how dense a checkpoint is; save where asked, and in an artifact."""
    from accelerator_sim.sources import AS_GIVEN
    from reports.console import say
    from reports.stored.files import save_result

    identity = results[0].identity
    foreign = identity.subject.method == AS_GIVEN
    if foreign and directory is not None:
        kept = identity.subject.kept_fraction
        dense = "; the checkpoint is dense" if kept > _DENSE else ""
        weights = f"the weights in {counted(identity.workload.blocks, 'block')}"
        say(f"{directory}: {kept:.2%} of {weights} are not zero{dense}")
    where = directory if save is None and not foreign else save
    if where is not None:
        for result in results:
            say(f"wrote {save_result(where, result)}")
