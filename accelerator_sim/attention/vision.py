"""From a vision transformer's masks to typed cycles of its attention. After ``masked``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerator_sim.attention.attention_result import AttentionIdentity, AttentionResult
from accelerator_sim.attention.masked import simulate_heads
from accelerator_sim.attention.sampled import scores_stay
from accelerator_sim.machine.catalog import DEFAULT_COSTS, load_cost_table, named_machine
from accelerator_sim.machine.costs import CostTable
from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.machine.identity import changes_of, cost_identity, machine_identity
from accelerator_sim.models.by_name import DISTINCT_MODELS, Model
from accelerator_sim.models.cycles_result import SIMULATED
from accelerator_sim.models.energy import check_technology
from workloads.masks.head_masks import HeadMask
from workloads.results.identity import provenance
from workloads.results.workload import WorkloadHash
from workloads.shapes.attention import VitShape, load_vit
from workloads.support.progress import Progress, silent


@dataclass(frozen=True)
class HeadMasks:
    """The masks of a vision transformer.

    Attributes:
        source: Where they come from, in words.
        heads: Each with how many heads share it.
    """

    source: str
    heads: Sequence[HeadMask]

    @property
    def sha256(self) -> str:
        """Of every mask and how often it is used."""
        work = WorkloadHash()
        for head in self.heads:
            work.add_mask(head.repeats, head.mask)
        return work.hexdigest()


def simulate_attention(
    shape: str | VitShape,
    masks: HeadMasks,
    *,
    accelerator: str | Path | Accelerator = "vitcod",
    models: Model | Sequence[Model] = DISTINCT_MODELS,
    overrides: Mapping[str, Any] | None = None,
    costs: str | Path | CostTable = DEFAULT_COSTS,
    progress: Progress = silent,
) -> list[AttentionResult]:
    """Cycles of a vision transformer's attention with fixed masks.

    Args:
        shape: The vision transformer, or its name.
        masks: Of all its heads.
        accelerator: A preset's name, a TOML file, or a machine.
        models: ``published``, ``roofline``, ``event`` or ``compiled``; one or several.
        overrides: Values of the machine by dotted key.
        costs: Energy and area: a table's name, a TOML file, or a table.
        progress: Told after every mask.

    Returns:
        One result per model.

    Raises:
        InputError: A name is unknown, or a head does not fit the machine.
    """
    shape = load_vit(shape) if isinstance(shape, str) else shape
    models = (models,) if isinstance(models, str) else tuple(models)
    machine = named_machine(accelerator, overrides)
    table = costs if isinstance(costs, CostTable) else load_cost_table(costs)
    if set(models) & set(SIMULATED):
        check_technology(table, machine.dram.technology)
    stage, heads = f"attention ({', '.join(models)})", []
    progress(stage, 0, len(masks.heads))
    for head in simulate_heads(
        masks.heads, machine, head_dim=shape.head_dim, models=models, costs=table
    ):
        heads.append(head)
        progress(stage, len(heads), len(masks.heads))
    changes = changes_of(accelerator, machine, overrides)
    about = (
        shape,
        masks.source,
        masks.sha256,
        machine_identity(machine, changes),
        cost_identity(table),
    )
    stay, origin = scores_stay(shape.tokens**2, machine), provenance()
    return [
        AttentionResult(
            AttentionIdentity(*about, model), origin, stay, tuple(head[model] for head in heads)
        )
        for model in models
    ]
