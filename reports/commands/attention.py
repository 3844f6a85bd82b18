"""``sslc attention``: a vision transformer's attention with fixed sparse masks."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reports.commands import completion
from reports.commands.completion import completing
from reports.commands.options import (
    AcceleratorName,
    CostTableName,
    CycleModel,
    JsonFlag,
    Settings,
    Style,
    check_place,
    cycle_models,
    parse_settings,
)

if TYPE_CHECKING:
    from accelerator_sim.attention.vision import HeadMasks
    from workloads.shapes.attention import VitShape

# Source: reorder.py of GATECH-EIC/ViTCoD: a column is denser above 50 of 197 queries. The least
# share of three digits that means 51 or more.
_DENSE_THRESHOLD = 0.254
_DENSITY = 0.1


def attention(
    shape: Annotated[
        str,
        typer.Argument(
            metavar="SHAPE",
            autocompletion=completing(completion.vision_transformers),
            help="One of `sslc list vit`.",
        ),
    ],
    mask: Annotated[
        Path | None,
        typer.Option(
            show_default="synthetic ones",
            help="A .npy file of 0 and 1 (kept): tokens x tokens, with heads or layers x heads "
            "in front where they differ.",
        ),
    ] = None,
    density: Annotated[
        float | None, typer.Option(show_default="0.1", help="Share that synthetic masks keep.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, show_default="0", help="Of the synthetic masks.")
    ] = None,
    accelerator: AcceleratorName = "vitcod",
    cycle_model: CycleModel = "all",
    settings: Settings = None,
    energy: CostTableName = "28nm",
    save: Annotated[
        Path | None,
        typer.Option(
            callback=check_place,
            file_okay=False,
            show_default="nowhere",
            help="Directory for the results.",
        ),
    ] = None,
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """Attention with fixed sparse masks, stage by stage: sampled Q K, softmax, A V.

    The denser engine takes the key columns that many queries see, the sparser engine the rest, as
    in ViTCoD. A column is denser above 50 of 197 queries (ViTCoD's own choice) unless
    --set dense_threshold=... says otherwise. Without --mask the masks are synthetic.

    Example: sslc attention deit-tiny --density 0.05 --cycle-model event

    Example: sslc attention deit-base --mask masks.npy --set dense_threshold=0.5 --json
    """
    from accelerator_sim.machine.catalog import load_accelerator

    overrides = {"dense_threshold": _DENSE_THRESHOLD, **parse_settings(settings)}
    load_accelerator(accelerator, overrides)  # refused before anything large is imported
    from accelerator_sim import simulate_attention
    from reports.console import Reporter, say, show
    from reports.stored.files import save_result
    from reports.tables.attention import attention_table
    from workloads.shapes.attention import load_vit

    vit, models = load_vit(shape), cycle_models(cycle_model)
    masks = _masks(vit, mask, density, seed)
    with Reporter() as reporter:
        results = simulate_attention(
            vit,
            masks,
            accelerator=accelerator,
            models=models,
            overrides=overrides,
            costs=energy,
            progress=reporter,
        )
    show([attention_table(results)], style, as_json=as_json, results=results)
    if save is not None:
        for result in results:
            say(f"wrote {save_result(save, result)}")


def _masks(
    shape: "VitShape", mask: Path | None, density: float | None, seed: int | None
) -> "HeadMasks":
    """The masks, with where they come from.

    Raises:
        InputError: Options do not go together, or the masks are unusable.
    """
    from accelerator_sim.attention.vision import HeadMasks
    from workloads.masks.head_masks import read_attention_masks, synthetic_attention_masks
    from workloads.support.errors import InputError

    if mask is not None:
        if density is not None or seed is not None:
            raise InputError("attention: --density and --seed are for synthetic masks; drop --mask")
        return HeadMasks(f"real ({mask.name})", read_attention_masks(mask, shape))
    share = _DENSITY if density is None else density
    source = f"synthetic (global columns, diagonal, scattered; density {share:g}, seed {seed or 0})"
    return HeadMasks(source, synthetic_attention_masks(shape, share, seed or 0))
