"""From a vision transformer's masks to typed cycles of its attention."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from accelerator_sim.attention.masked import simulate_heads
from accelerator_sim.attention.results import AttentionIdentity, AttentionResult
from accelerator_sim.attention.sampled import scores_stay
from accelerator_sim.machine.catalog import DEFAULT_COSTS, load_accelerator, load_cost_table
from accelerator_sim.machine.identity import changes_of, cost_identity, machine_identity
from accelerator_sim.models.by_name import Model
from workloads.masks.head_masks import HeadMask
from workloads.results.identity import provenance
from workloads.results.workload import WorkloadHash
from workloads.shapes.attention import VitShape
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
    shape: VitShape,
    masks: HeadMasks,
    *,
    accelerator: str,
    models: Sequence[Model],
    overrides: Mapping[str, Any],
    costs: str = DEFAULT_COSTS,
    progress: Progress = silent,
) -> list[AttentionResult]:
    """Cycles of a vision transformer's attention with fixed masks.

    Args:
        shape: The vision transformer.
        masks: Of all its heads.
        accelerator: A preset's name or a TOML file.
        models: Cycle models.
        overrides: Values of the machine by dotted key.
        costs: Energy and area: a table's name or a TOML file.
        progress: Told after every mask.

    Returns:
        One result per model.

    Raises:
        InputError: A name is unknown, or a head does not fit the machine.
    """
    machine, table = load_accelerator(accelerator, overrides), load_cost_table(costs)
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
