"""What runs at every point of a sweep: a model's shape with synthetic masks, or real masks."""

import dataclasses
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerator_sim.mapping.indices import refuse_overfull
from accelerator_sim.mapping.tiling import choose_dense_columns
from workloads.artifact.read import MANIFEST, open_artifact
from workloads.masks.foreign import open_pruned, single_projection
from workloads.masks.packed import SparseLowRankGemm
from workloads.masks.pattern import parse_pattern
from workloads.masks.synthetic import synthetic_block, synthetic_nonzeros
from workloads.results.workload import WorkloadHash
from workloads.shapes.attention import Heads, check_heads, read_heads
from workloads.shapes.transformer import load_model
from workloads.support.errors import InputError
from workloads.support.files import sha256_file

SOURCES = ("model", "artifact", "checkpoint", "mask")
_OF_MODEL = ("kept_fraction", "seed")


@dataclass(frozen=True)
class Workload:
    """What runs at every point: one of ``SOURCES``.

    Attributes:
        model: Name of a shape or its TOML file, with synthetic masks.
        kept_fraction: Kept share of each projection, factors included; for a model.
        rank: Of every projection; for a model or a mask.
        seed: Of the synthetic masks; for a model.
        artifact: Directory of a compressed model.
        blocks: How many blocks of the artifact or checkpoint, from the first.
        checkpoint: Directory of a model that others pruned: its zeros are its masks.
        mask: A ``.npy`` file of 0 and 1: one projection.
    """

    model: str = ""
    kept_fraction: float = 0.5
    rank: int = 0
    seed: int = 0
    artifact: str = ""
    blocks: int = 1
    checkpoint: str = ""
    mask: str = ""

    def __post_init__(self) -> None:
        given = [name for name in SOURCES if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(
                "give either model or artifact, or checkpoint or mask"
                + (f"; got {' and '.join(given)}" if given else "")
            )
        if not 0 <= self.kept_fraction <= 1:
            raise ValueError(f"kept_fraction must lie in [0, 1], got {self.kept_fraction}")
        if self.rank < 0 or self.seed < 0 or self.blocks < 1:
            raise ValueError("rank and seed must be at least 0 and blocks at least 1")
        self._refuse_unused(given[0])

    def _refuse_unused(self, source: str) -> None:
        unused: tuple[str, ...] = () if source == "model" else _OF_MODEL
        unused += () if source in ("model", "mask") else ("rank",)
        unused += ("blocks",) if source == "mask" else ()
        for field in dataclasses.fields(self):
            if field.name in unused and getattr(self, field.name) != field.default:
                raise ValueError(f"{field.name} does not belong to {source}, which has its own")

    @property
    def name(self) -> str:
        """What tables call it: the shape, or the last part of a path."""
        given = next(getattr(self, name) for name in SOURCES if getattr(self, name))
        return Path(given).resolve().name if not self.model else given

    @property
    def masks(self) -> str:
        """Provenance: ``real``, or how the synthetic ones were made."""
        if self.model:
            return f"synthetic (wanda-lognormal, seed {self.seed})"
        return "real" if self.artifact else f"real ({self.name})"


def located(workload: Workload, folder: Path) -> Workload:
    """The same with paths relative to a folder.

    Args:
        workload: As read from a file.
        folder: Of that file.
    """
    paths: dict[str, Any] = {
        name: str(folder / value)
        for name in SOURCES
        if (value := getattr(workload, name)) and (name != "model" or value.endswith(".toml"))
    }
    return dataclasses.replace(workload, **paths)


def check_workload(workload: Workload, *, context: bool) -> None:
    """Open it as far as shows that it can run.

    Args:
        workload: Paths as they are.
        context: Whether attention over a context is asked for.

    Raises:
        InputError: It cannot be opened, has fewer blocks, its budget cannot be, or its heads are
            unknown or not those of its projections.
    """
    if workload.model:
        synthetic_nonzeros(load_model(workload.model), workload.kept_fraction, workload.rank)
    elif workload.mask:
        read_workload_mask(workload)
    else:
        if workload.artifact:
            count = len(open_artifact(Path(workload.artifact)).blocks)
        else:
            count = len(open_pruned(Path(workload.checkpoint)).blocks)
        if workload.blocks > count:
            raise InputError(f"blocks must be at most {count}, got {workload.blocks}")
    if context:
        check_heads(load_heads(workload), [item.gemm for item in load_workload(workload)])


def check_pattern(workload: Workload, index_format: str, dense_threshold: float) -> None:
    """Refuse an ``N:M`` index of masks that have more nonzeros in a group.

    Args:
        workload: Whose masks.
        index_format: Every other format takes any mask.
        dense_threshold: Columns kept above it are not stored by the index.

    Raises:
        InputError: A mask is not of the pattern.
    """
    pattern = parse_pattern(index_format)
    if pattern is None:
        return
    for item in load_workload(workload):
        dense = choose_dense_columns(item.mask, dense_threshold)
        refuse_overfull(item.gemm.name, item.mask, dense, pattern)


def read_workload_mask(workload: Workload) -> SparseLowRankGemm:
    """The projection of a mask.

    Raises:
        InputError: The file cannot be used.
    """
    return single_projection(Path(workload.mask), workload.rank, 1, "FFN")


@functools.lru_cache(maxsize=1)
def load_workload(workload: Workload) -> tuple[SparseLowRankGemm, ...]:
    """The projections at one token, made or opened once per process.

    Raises:
        InputError: The artifact or the budget cannot be used.
    """
    if workload.artifact:
        return _first(open_artifact(Path(workload.artifact)).projections(), workload.blocks)
    if workload.checkpoint:
        return _first(open_pruned(Path(workload.checkpoint)).projections(), workload.blocks)
    if workload.mask:
        return (read_workload_mask(workload),)
    shape = load_model(workload.model)
    return tuple(synthetic_block(shape, workload.kept_fraction, workload.rank, 1, workload.seed))


def load_heads(workload: Workload) -> Heads:
    """Heads of its attention.

    Raises:
        InputError: A mask has none, or the file that has them is missing.
    """
    if workload.mask:
        raise InputError("context: a mask does not tell the heads; leave context out")
    if workload.model:
        shape = load_model(workload.model)
        return Heads(shape.heads, shape.kv_heads, shape.head_dim)
    return read_heads(Path(workload.artifact or workload.checkpoint))


def workload_identity(workload: Workload) -> dict[str, Any]:
    """What decides a workload's bits: shape and mask settings, the manifest, or the masks."""
    if workload.artifact:
        manifest = sha256_file(Path(workload.artifact) / MANIFEST)
        return {"manifest": manifest, "blocks": workload.blocks}
    if workload.model:
        shape = dataclasses.asdict(load_model(workload.model))
        mask = {name: getattr(workload, name) for name in ("kept_fraction", "rank", "seed")}
        return {"shape": shape, **mask}
    work = WorkloadHash()
    for item in load_workload(workload):
        work.add(0, item)
    return {"masks": work.hexdigest(), "blocks": workload.blocks}


def _first(
    projections: Iterable[tuple[int, SparseLowRankGemm]], blocks: int
) -> tuple[SparseLowRankGemm, ...]:
    """Those of the first blocks; what comes after is not read."""
    items = []
    for block, item in projections:
        if block >= blocks:
            break
        items.append(item)
    return tuple(items)
