"""``sslc simulate --whole`` and ``--what-if``: a whole model that serves, gains of resources."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from accelerator_sim.models.by_name import Model
    from accelerator_sim.sensitivity.what_if_result import WhatIfResult
    from accelerator_sim.serving.whole_model_result import WholeModelResult
    from accelerator_sim.sources import Simulated

DEFAULTS = {"prompt": 512, "output": 128, "batch": 1}


@dataclass(frozen=True)
class Ask:
    """What was asked of ``sslc simulate`` that both its ways share.

    Attributes:
        accelerator: Its name or file.
        cycle_model: As typed; ``all`` is ``compiled`` here.
        overrides: Values of the machine by dotted key.
        blocks: Only the first so many.
        costs: Name or file of the energies.
    """

    accelerator: str
    cycle_model: str
    overrides: Mapping[str, Any]
    blocks: int | None
    costs: str


def refuse(option: str, others: Mapping[str, Any]) -> None:
    """Refuse options that do not go with another one.

    Args:
        option: That is given.
        others: By name; None or False where not given.

    Raises:
        InputError: One is given.
    """
    from workloads.support.errors import InputError

    for name, value in others.items():
        if value not in (None, False):
            raise InputError(f"simulate: {name} does not go with {option}")


def check_whole(whole: bool, own: Mapping[str, Any], others: Mapping[str, Any]) -> None:
    """Refuse options that do not go together.

    Args:
        whole: Whether a whole model is meant.
        own: Options of a whole model by name; None or False where not given.
        others: Options that it has no use for, likewise.

    Raises:
        InputError: One of the wrong kind is given.
    """
    from workloads.support.errors import InputError

    if whole:
        refuse("--whole", others)
        return
    for name, value in own.items():
        if value is not None:
            raise InputError(f"simulate: {name} belongs to --whole; add it, or leave {name} out")


def run_whole(
    source: "Simulated", ask: Ask, *, requests: Mapping[str, int | None], kv_bits: int | None
) -> "WholeModelResult":
    """Simulate a whole model, with a bar of its blocks.

    Args:
        source: An artifact or a checkpoint.
        ask: Machine and model.
        requests: ``prompt``, ``output`` and ``batch``; None: the default.
        kv_bits: Width of keys and values; None: that of activations.
    """
    import accelerator_sim
    from reports.console import Reporter

    sizes = {name: value or DEFAULTS[name] for name, value in requests.items()}
    with Reporter() as reporter:
        return accelerator_sim.simulate_whole(
            source,
            ask.accelerator,
            **sizes,
            model=_model(ask.cycle_model),
            blocks=ask.blocks,
            kv_bits=kv_bits,
            overrides=ask.overrides,
            costs=ask.costs,
            progress=reporter,
        )


def run_what_if(source: "Simulated", ask: Ask, *, tokens: int) -> "WhatIfResult":
    """Simulate the projections on every changed machine, with a bar of its blocks.

    Args:
        source: An artifact, a checkpoint or a mask.
        ask: Machine and model.
        tokens: Per product.
    """
    import accelerator_sim
    from reports.console import Reporter

    with Reporter() as reporter:
        return accelerator_sim.what_if(
            source,
            ask.accelerator,
            model=_model(ask.cycle_model),
            tokens=tokens,
            blocks=ask.blocks,
            overrides=ask.overrides,
            progress=reporter,
        )


def run_export(source: "Simulated", ask: Ask, kind: str, out: Path, *, kv_bits: int | None) -> None:
    """Write what another simulator reads, with bars of blocks and of parts of prompts.

    Args:
        source: An artifact or a checkpoint.
        ask: Machine and model.
        kind: Of simulator.
        out: Directory.
        kv_bits: Width of keys and values; None: that of activations.

    Raises:
        InputError: There is no such format.
    """
    import accelerator_sim
    from reports.console import Reporter, say
    from workloads.support.errors import InputError, unknown_name

    if kind != "llmservingsim":
        raise unknown_name("format of --export", kind, ["llmservingsim"])
    if out.is_file():
        raise InputError(f"simulate: --export writes into a directory, and {out} is a file")
    with Reporter() as reporter:
        files = accelerator_sim.export_llmservingsim(
            source,
            out,
            ask.accelerator,
            model=_model(ask.cycle_model),
            blocks=ask.blocks,
            kv_bits=kv_bits,
            overrides=ask.overrides,
            progress=reporter,
        )
    for file in files:
        say(f"wrote {file}")


def finish(
    result: "WholeModelResult | WhatIfResult",
    save: Path | None,
    directory: Path | None,
    *,
    names: Sequence[str] | None,
    style: str,
    as_json: bool,
) -> None:
    """Print what came of it, and save it with its figure.

    Args:
        result: From ``run_whole`` or ``run_what_if``.
        save: Where results go; None: into an artifact.
        directory: What was simulated; nothing is written into what others made.
        names: For the tables and the figure, as of ``renamed``.
        style: Of the tables.
        as_json: As JSON, whatever the style.
    """
    from accelerator_sim.serving.whole_model_result import WholeModelResult, parts_table
    from accelerator_sim.sources import AS_GIVEN
    from reports.console import say, show
    from reports.figures.style import write_figure
    from reports.stored.files import FOLDER, save_result
    from reports.tables.naming import renamed

    [shown] = renamed([result], names or ())
    tables = [shown.to_table()]
    if isinstance(shown, WholeModelResult):
        tables.append(parts_table(shown))
    show(tables, style, as_json=as_json, results=[result])
    foreign = result.identity.subject.method == AS_GIVEN
    where = save or (None if foreign else directory)
    if where is None:
        return
    path = save_result(where, result)
    for written in (path, *write_figure(shown.plot(), where / FOLDER, path.stem)):
        say(f"wrote {written}")


def _model(name: str) -> "Model":
    from reports.commands.options import cycle_models

    return "compiled" if name == "all" else cycle_models(name)[0]
