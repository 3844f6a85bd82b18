"""What runs at every point of a sweep: a model's shape with synthetic masks, or an artifact."""

import dataclasses
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workloads.artifact.read import MANIFEST, open_artifact
from workloads.masks.packed import SparseLowRankGemm
from workloads.masks.synthetic import synthetic_block
from workloads.shapes.transformer import load_model
from workloads.support.files import sha256_file


@dataclass(frozen=True)
class Workload:
    """What runs at every point: a model's shape with synthetic masks, or an artifact's blocks.

    Attributes:
        model: Name of a shape; empty for an artifact.
        kept_fraction: Kept share of each projection, factors included; for a model.
        rank: Of every projection; for a model.
        seed: Of the synthetic masks; for a model.
        artifact: Directory; empty for a model.
        blocks: How many blocks of the artifact, from the first.
    """

    model: str = ""
    kept_fraction: float = 0.5
    rank: int = 0
    seed: int = 0
    artifact: str = ""
    blocks: int = 1

    def __post_init__(self) -> None:
        if bool(self.model) == bool(self.artifact):
            raise ValueError("give either model or artifact")
        if not 0 <= self.kept_fraction <= 1:
            raise ValueError(f"kept_fraction must lie in [0, 1], got {self.kept_fraction}")
        if self.rank < 0 or self.seed < 0 or self.blocks < 1:
            raise ValueError("rank and seed must be at least 0 and blocks at least 1")

    @property
    def masks(self) -> str:
        """Provenance: ``real``, or how the synthetic ones were made."""
        return "real" if self.artifact else f"synthetic (wanda-lognormal, seed {self.seed})"


@functools.lru_cache(maxsize=1)
def load_workload(workload: Workload) -> tuple[SparseLowRankGemm, ...]:
    """The projections at one token, made or opened once per process.

    Raises:
        InputError: The artifact or the budget cannot be used.
    """
    if workload.artifact:
        projections = open_artifact(Path(workload.artifact)).projections()
        return tuple(item for block, item in projections if block < workload.blocks)
    shape = load_model(workload.model)
    return tuple(synthetic_block(shape, workload.kept_fraction, workload.rank, 1, workload.seed))


def workload_identity(workload: Workload) -> dict[str, Any]:
    """What decides a workload's bits: shape and mask settings, or the artifact's manifest."""
    if workload.artifact:
        manifest = sha256_file(Path(workload.artifact) / MANIFEST)
        return {"manifest": manifest, "blocks": workload.blocks}
    shape = dataclasses.asdict(load_model(workload.model))
    mask = {name: getattr(workload, name) for name in ("kept_fraction", "rank", "seed")}
    return {"shape": shape, **mask}
