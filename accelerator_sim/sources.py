"""What can be simulated: an artifact, a pruned checkpoint, masks, a model's shape; all alike.

Before ``operations``. A source gives projections block by block and says what results are about.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from accelerator_sim.design_space.workload import Workload, read_workload_mask
from workloads.artifact.read import MANIFEST, Artifact, open_artifact
from workloads.masks.foreign import PrunedCheckpoint, open_pruned
from workloads.masks.packed import SparseLowRankGemm
from workloads.masks.synthetic import synthetic_block
from workloads.results.identity import Subject
from workloads.results.subject import subject_of
from workloads.results.workload import WorkloadHash
from workloads.shapes.attention import Heads, read_heads
from workloads.shapes.embedding import Embedding, read_embedding
from workloads.shapes.transformer import load_model, model_names
from workloads.support.errors import InputError, check_count

Simulated = (
    str
    | Path
    | Artifact
    | PrunedCheckpoint
    | Workload
    | SparseLowRankGemm
    | Sequence[SparseLowRankGemm]
)
"""A directory (an artifact or a pruned checkpoint), a model's shape by name, the same opened or
with settings, or projections that make one block."""


AS_GIVEN = "as given"
"""The method of masks that somebody else made."""


@dataclass(frozen=True)
class Contents:
    """What was run of a source.

    Attributes:
        kept_fraction: Nonzeros and factors over the projections' parameters.
        sha256: Of every shape, rank and mask.
    """

    kept_fraction: float
    sha256: str


@dataclass
class Seen:
    """What adds up over the blocks of a source while they are run."""

    hash: WorkloadHash = field(default_factory=WorkloadHash)
    blocks: int = 0
    kept: int = 0
    parameters: int = 0
    tokens: int = 1

    def add(self, block: int, items: Sequence[SparseLowRankGemm]) -> None:
        """Count a block that was run.

        Args:
            block: Its index.
            items: Its projections.
        """
        self.blocks += 1
        for item in items:
            self.hash.add(block, item)
            self.kept += item.mask.nnz + item.rank * (item.gemm.m + item.gemm.n)
            self.parameters += item.gemm.parameters
            self.tokens = max(self.tokens, item.gemm.tokens)

    @property
    def contents(self) -> Contents:
        """What was run."""
        return Contents(self.kept / self.parameters, self.hash.hexdigest())


def no_embedding() -> Embedding:
    """For sources that are no whole model.

    Raises:
        InputError: Always.
    """
    raise InputError("a whole model: projections do not tell its ends; give a directory or a shape")


@dataclass(frozen=True, eq=False)
class Source:
    """Blocks of projections.

    Attributes:
        projections: Block index and projection, block by block, for a number of tokens; None: as
            they are.
        blocks: How many are run unless said; it gives no more than ``of_blocks`` where known.
        of_blocks: How many the model has; None where nobody knows.
        heads: Of its attention.
        subject: What results are about, after the blocks were run.
        embedding: Of its ends.
        experts: How tokens are divided among experts, in words; empty where there are none.
        float_bits: The widest floating-point format of its file; 0 where numbers are whole, or
            where nobody knows.
    """

    projections: Callable[[int | None], Iterator[tuple[int, SparseLowRankGemm]]]
    blocks: int
    of_blocks: int | None
    heads: Callable[[], Heads]
    subject: Callable[[Contents], Subject]
    embedding: Callable[[], Embedding] = no_embedding
    float_bits: int = 0
    experts: str = ""


def open_source(source: "Simulated | Source") -> Source:
    """Open whatever can be simulated.

    Args:
        source: A string names a directory if there is one, else a model's shape; an opened one is
            taken as it is.

    Raises:
        InputError: It is neither, or it cannot be used.
    """
    if isinstance(source, Source):
        return source
    if isinstance(source, str | Path):
        return _named(source)
    if isinstance(source, Artifact):
        return _artifact(source)
    if isinstance(source, PrunedCheckpoint):
        return _checkpoint(source)
    if isinstance(source, Workload):
        return _workload(source)
    return _masks([source] if isinstance(source, SparseLowRankGemm) else list(source))


def block_count(source: Source, blocks: int | None) -> int:
    """How many blocks are run: those asked for, or what the source says.

    Args:
        source: Of blocks.
        blocks: As asked for; None: as the source says.

    Raises:
        InputError: The model has fewer.
    """
    limit = source.of_blocks or source.blocks
    check_count("blocks", blocks, limit)
    return min(blocks or source.blocks, limit)


def _named(source: str | Path) -> Source:
    path = Path(source)
    if path.is_dir():
        if (path / MANIFEST).is_file():
            return _artifact(open_artifact(path))
        return _checkpoint(open_pruned(path))
    if str(source) in model_names() or path.suffix == ".toml":
        return _shape(Workload(model=str(source)))
    raise InputError(
        f"{source}: neither a directory (of an artifact or a checkpoint) nor a model's shape; "
        f"shapes are {', '.join(model_names())}"
    )


def _workload(workload: Workload) -> Source:
    if workload.model:
        return _shape(workload)
    if workload.mask:
        return _masks([read_workload_mask(workload)])
    if workload.artifact:
        opened = _artifact(open_artifact(Path(workload.artifact)))
    else:
        opened = _checkpoint(open_pruned(Path(workload.checkpoint)))
    return replace(opened, blocks=min(workload.blocks, opened.blocks))


def _artifact(artifact: Artifact) -> Source:
    count = len(artifact.blocks)
    return Source(
        projections=lambda tokens: artifact.projections(tokens or 1),
        blocks=count,
        of_blocks=count,
        heads=lambda: read_heads(artifact.path),
        subject=lambda _: subject_of(artifact),
        embedding=lambda: read_embedding(artifact.path),
        float_bits=max(
            record.storage.float_bits for block in artifact.blocks for record in block.projections
        ),
        experts=artifact.experts,
    )


def _checkpoint(checkpoint: PrunedCheckpoint) -> Source:
    count = len(checkpoint.blocks)
    return Source(
        projections=lambda tokens: checkpoint.projections(tokens or 1),
        blocks=count,
        of_blocks=count,
        heads=lambda: read_heads(checkpoint.path),
        subject=lambda contents: _as_given(checkpoint.name, contents),
        embedding=lambda: read_embedding(checkpoint.path),
    )


def _shape(workload: Workload) -> Source:
    """Every block has masks of its own seed: that of the workload, and the next ones."""
    shape = load_model(workload.model)
    settings = {"kept_fraction": workload.kept_fraction, "rank": workload.rank}

    def projections(tokens: int | None) -> Iterator[tuple[int, SparseLowRankGemm]]:
        for block in range(shape.blocks):
            seed = workload.seed + block
            for item in synthetic_block(
                shape, workload.kept_fraction, workload.rank, tokens=tokens or 1, seed=seed
            ):
                yield block, item

    return Source(
        projections=projections,
        blocks=workload.blocks,
        of_blocks=shape.blocks,
        heads=lambda: Heads(shape.heads, shape.kv_heads, shape.head_dim),
        subject=lambda contents: Subject(
            model=shape.name,
            method="synthetic",
            kept_fraction=contents.kept_fraction,
            masks=workload.masks,
            sha256=contents.sha256,
            settings={**settings, "seed": workload.seed},
        ),
        embedding=lambda: Embedding(shape.vocabulary, shape.hidden),
    )


def _masks(items: Sequence[SparseLowRankGemm]) -> Source:
    if not items:
        raise InputError("no projection to simulate: the sequence is empty")
    if len({item.gemm.tokens for item in items}) > 1:
        raise InputError("the projections of a block have different tokens; give tokens=")

    def projections(tokens: int | None) -> Iterator[tuple[int, SparseLowRankGemm]]:
        for item in items:
            gemm = item.gemm if tokens is None else replace(item.gemm, tokens=tokens)
            yield 0, replace(item, gemm=gemm)

    def heads() -> Heads:
        raise InputError("context: masks do not tell the heads; give a directory or a shape")

    names = items[0].gemm.name if len(items) == 1 else "masks"
    return Source(projections, 1, None, heads, lambda contents: _as_given(names, contents))


def _as_given(name: str, contents: Contents) -> Subject:
    return Subject(
        model=name,
        method=AS_GIVEN,
        kept_fraction=contents.kept_fraction,
        masks=f"real ({name})",
        sha256=contents.sha256,
    )
