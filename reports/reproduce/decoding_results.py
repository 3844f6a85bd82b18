"""What generating tokens one by one costs on the device at hand: typed results of table 5."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from reports.reproduce.results import CellIdentity
from workloads.results.identity import DENSE, Provenance

TORCH, OWN = "torch", "own kernel"
"""Whose dense product a dense decoder uses."""


@dataclass(frozen=True)
class StackIdentity:
    """A stack of random weights.

    Attributes:
        shape: Model whose shape it has.
        blocks: How many.
        hidden: Hidden size.
        inner: Of the feed-forward part.
        heads: Attention heads.
        vocabulary: Rows of embedding and head.
        rank_share: Of all parameters, in U and V, inside the budget.
        seed: Of the weights.
    """

    shape: str
    blocks: int
    hidden: int
    inner: int
    heads: int
    vocabulary: int
    rank_share: float
    seed: int


@dataclass(frozen=True)
class DecoderIdentity:
    """One of the models that generate side by side.

    Attributes:
        weights: ``dense`` or how they are compressed.
        sparsity: Share of the projections' parameters that is left out, in [0, 1].
        kernel: What multiplies them.
        cell: The model; None in a stack.
    """

    weights: str
    sparsity: float
    kernel: str
    cell: CellIdentity | None = None


@dataclass(frozen=True)
class DecodeIdentity:
    """All that determines a generation and its speed, the device with it.

    Attributes:
        subject: As tables call it.
        stack: Of random weights; None for a model.
        decoders: What generates, in turns.
        prompts: How many.
        prompts_sha256: Of their token ids.
        new_tokens: That each decoder makes of each prompt.
        dtype: Of every tensor.
        device: By the name that its vendor gives it.
        features: Instructions that the kernels use on a CPU; empty on a GPU.
        threads: Used.
        libraries: Versions by name.
    """

    subject: str
    stack: StackIdentity | None
    decoders: tuple[DecoderIdentity, ...]
    prompts: int
    prompts_sha256: str
    new_tokens: int
    dtype: str
    device: str
    features: str
    threads: int
    libraries: Mapping[str, str]


@dataclass(frozen=True)
class Decoded:
    """What one decoder needed.

    Attributes:
        projection_bytes: Weights of its projections as they lie in memory.
        seconds: Of all timed tokens of each prompt.
        seconds_of_blocks: Likewise, the head excluded.
    """

    projection_bytes: int
    seconds: tuple[float, ...]
    seconds_of_blocks: tuple[float, ...]


@dataclass(frozen=True)
class DecodeResult:
    """Seconds of generation on the device at hand.

    Attributes:
        identity: What determines them.
        provenance: Where they came from.
        decoders: In the order of the identity.
        timed_tokens: Of each prompt; the first, which runs the prompt, is not among them.
        load: Mean number of running processes in the minute before.
    """

    KIND: ClassVar[str] = "decoding"
    COMMAND: ClassVar[str] = "sslc reproduce table5"

    identity: DecodeIdentity
    provenance: Provenance
    decoders: tuple[Decoded, ...]
    timed_tokens: int
    load: float

    @property
    def stem(self) -> str:
        """What generated."""
        return self.identity.subject

    @property
    def baseline(self) -> Decoded:
        """The faster dense decoder, by the median over prompts with the head excluded."""
        both = zip(self.identity.decoders, self.decoders, strict=True)
        dense = [decoded for identity, decoded in both if identity.weights == DENSE]
        return min(dense, key=lambda decoded: statistics.median(decoded.seconds_of_blocks))

    def speedup(self, decoded: Decoded) -> float:
        """Median over prompts of the baseline's seconds over a decoder's, in the same prompt."""
        return _ratio(self.baseline.seconds, decoded.seconds)

    def speedup_of_blocks(self, decoded: Decoded) -> float:
        """Likewise, the head excluded."""
        return _ratio(self.baseline.seconds_of_blocks, decoded.seconds_of_blocks)


def _ratio(slow: tuple[float, ...], fast: tuple[float, ...]) -> float:
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))
