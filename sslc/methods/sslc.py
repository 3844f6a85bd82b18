"""SSLC: a sparse part and a low-rank part, found in turn in the activation-scaled space.

Notation: W m×n, D = diag(d) the input norms, W̃ = W D, S sparse, L = U Vᵀ of rank r.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.linalg.alternation import alternate_rows
from sslc.linalg.low_rank import STEPS, random_factor
from sslc.linalg.selection import check_group, keep_top, sparse_nonzeros
from sslc.methods.base import (
    Budget,
    CompressedProjection,
    WorkingCopies,
    beyond_budget,
    check_choice,
    check_share,
)
from sslc.methods.scores import SCORES, Scores
from sslc.methods.sparse_steps import AdmmStep, SparseStep, ThresholdStep
from workloads.masks.pattern import parse_pattern
from workloads.shapes.gemm import count_within, largest_rank


@dataclass(frozen=True)
class Sslc:
    """Sparse plus low-rank by alternation, minimising ‖(W − L − S) X‖_F.

    Attributes:
        kept_fraction: p, kept share of all parameters, U and V included.
        rank_share: Share of all parameters that U and V may take.
        rank: A fixed rank instead of the share; −1 for the share.
        preserved_fraction: Share of the entries with the largest |W̃| that S always keeps.
        iterations: T.
        group: Comparison group of the threshold: row, matrix, or a pattern such as 2:4, which fixes
            the share of S and preserves nothing.
        tolerance: Stop early when the loss falls by less than this share; 0 runs all iterations.
        seed: Of the starting factor.
        low_rank: Step of the low-rank part: warm, exact, godec or brp (``low_rank.STEPS``).
        score: What the sparse step compares: ``activation`` (|W̃ − L̃|), ``ria`` or ``pruner-zero``
            (their scores of the current residual in place of W), or ``alps``, which has no score
            and takes ADMM steps (``sparse_steps.AdmmStep``): the plug-ins of Table 9. With any but
            ``activation`` the loss may rise.
        preserved: What preserving means: ``force`` (always among S's positions, values from the
            residual), ``zero`` (removed from W, added back as they were) or ``zerofix`` (removed,
            added back as W − L, so that they are exact).

    Source: Zong et al., arXiv 2510.26446, Section 4 and Algorithm 1. Open there and decided here:
    the low-rank step is a warm-started subspace iteration (``low_rank.subspace_step``), thresholds
    are per output row; of three readings of the preserved entries ``force`` is the default. They
    count as nonzeros of S in all three.
    """

    kept_fraction: float = 0.5
    rank_share: float = 0.0625
    rank: int = -1
    preserved_fraction: float = 0.01
    iterations: int = 40
    group: str = "row"
    tolerance: float = 0.0
    seed: int = 0
    low_rank: str = "warm"
    score: str = "activation"
    preserved: str = "force"
    name = "sslc"
    title = "SSLC"

    def __post_init__(self) -> None:
        for name in ("kept_fraction", "rank_share", "preserved_fraction"):
            check_share(name, getattr(self, name))
        check_group(self.group)
        check_choice("low_rank", self.low_rank, tuple(STEPS))
        check_choice("score", self.score, ("activation", "alps", "pruner-zero", "ria"))
        check_choice("preserved", self.preserved, ("force", "zero", "zerofix"))
        if self.score == "alps" and self.preserved != "force":
            raise ValueError("score=alps goes with preserved=force only")
        if self.iterations < 1:
            raise ValueError(f"iterations must be at least 1, got {self.iterations}")
        if self.rank < -1:
            raise ValueError(f"rank must be -1 (from rank_share) or at least 0, got {self.rank}")
        if self.tolerance < 0:
            raise ValueError(f"tolerance must not be negative, got {self.tolerance}")

    @property
    def needs_hessian(self) -> bool:
        """Whether the score looks at X Xᵀ."""
        return self.score == "alps"

    @property
    def needs_gradients(self) -> bool:
        """Whether the score looks at the weights' gradients."""
        return self.score == "pruner-zero"

    @property
    def working_copies(self) -> WorkingCopies:
        """Least where it runs row block by row block; most with the state of ALPS."""
        if self.score == "alps":
            return WorkingCopies(25.5, 2.4)
        return WorkingCopies(3.25 if self._has_plain_settings else 11.0)

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """Alternate low-rank and sparse steps on W̃, then undo the scaling."""
        scale = statistics.scale()
        rank, nonzeros = self.budget(*weight.shape)
        scaled = weight * scale
        positions = self._preserved(scaled, nonzeros)
        if rank and self._is_plain(scaled, nonzeros):
            generator = torch.Generator().manual_seed(self.seed)
            u, v, mask = alternate_rows(
                scaled,
                positions,
                rank=rank,
                nonzeros=nonzeros,
                iterations=self.iterations,
                generator=generator,
            )
            v = v / scale[:, None]
            sparse = torch.addmm(weight, u, v.T, alpha=-1, out=scaled)
            sparse.masked_fill_(~mask, 0)
            return CompressedProjection(mask, sparse, u, v)
        step = self._sparse_step(statistics, positions, nonzeros)
        if self.preserved != "force":
            scaled.masked_fill_(positions, 0)
        u, v, mask = self._alternate(scaled, positions, step, rank)
        v = v / scale[:, None]
        sparse = step.values(weight - u @ v.T, mask)
        if self.preserved == "zero":
            sparse = torch.where(positions, weight, sparse)
        return CompressedProjection(mask, sparse, u, v)

    def losses(self, weight: torch.Tensor, statistics: InputStatistics) -> list[float]:
        """Relative loss ‖W̃ − L̃ − S̃‖_F / ‖W̃‖_F after each iteration.

        Args:
            weight: W, m×n, float32, finite; left as it was.
            statistics: Of its inputs.

        Returns:
            One loss per iteration; a single one at rank 0, where nothing alternates; zeros for a
            weight of zeros.

        Raises:
            ValueError: As ``budget``.

        Source: SSLC Appendix A, by which it never rises; with the default settings that holds up
        to rounding. Losses are those of the alternation: what ``zerofix`` adds back and what
        ``alps`` solves at the end lowers them once more.
        """
        scaled = weight * statistics.scale()
        rank, nonzeros = self.budget(*weight.shape)
        positions = self._preserved(scaled, nonzeros)
        step = self._sparse_step(statistics, positions, nonzeros)
        whole = float(torch.linalg.norm(scaled))
        if self.preserved != "force":
            scaled.masked_fill_(positions, 0)
        return [
            left.loss() / (whole or 1.0) for left in self._rounds(scaled, positions, step, rank)
        ]

    def budget(self, m: int, n: int) -> Budget:
        """Rank r and nonzeros of S for an m×n projection, r(m + n) + nonzeros = ⌊p m n⌋.

        Raises:
            ValueError: The rank does not fit the shape, or U and V alone exceed the budget.
        """
        rank = largest_rank(m, n, self.rank_share) if self.rank < 0 else self.rank
        if rank >= min(m, n):
            raise ValueError(f"rank {rank} does not fit a {m}x{n} projection")
        nonzeros = sparse_nonzeros(
            m, n, kept_fraction=self.kept_fraction, rank=rank, group=self.group
        )
        if nonzeros < 0:
            raise beyond_budget(
                m, n, rank=rank, kept_fraction=self.kept_fraction, by_share=self.rank < 0
            )
        return Budget(rank, nonzeros)

    def _is_plain(self, scaled: torch.Tensor, nonzeros: int) -> bool:
        """Whether ``alternation`` has these settings, and runs here."""
        here = scaled.device.type == "cpu" and scaled.dtype == torch.float32
        return here and self._has_plain_settings and nonzeros >= len(scaled)

    @property
    def _has_plain_settings(self) -> bool:
        plain = (self.group, self.low_rank, self.score, self.preserved, self.tolerance)
        return plain == ("row", "warm", "activation", "force", 0)

    def _preserved(self, scaled: torch.Tensor, nonzeros: int) -> torch.Tensor:
        if parse_pattern(self.group) is not None:
            return torch.zeros_like(scaled, dtype=torch.bool)
        count = min(count_within(self.preserved_fraction, scaled.numel()), nonzeros)
        return keep_top(scaled.abs(), count, group=self.group)

    def _sparse_step(
        self, statistics: InputStatistics, positions: torch.Tensor, nonzeros: int
    ) -> SparseStep:
        forced = torch.zeros(positions.shape, device=positions.device).masked_fill_(
            positions, math.inf
        )
        if self.score == "alps":
            return AdmmStep(statistics, forced, nonzeros, self.group)
        scores: Scores = torch.abs
        if self.score != "activation":
            scale, plugged = statistics.scale(), SCORES[self.score](statistics)
            scores = lambda residual: plugged(residual / scale)  # noqa: E731
        removed = self.preserved != "force"
        return ThresholdStep(scores, forced, removed=removed, nonzeros=nonzeros, group=self.group)

    def _alternate(
        self, scaled: torch.Tensor, positions: torch.Tensor, step: SparseStep, rank: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """U (m×r), V (n×r) and the mask of S after the alternation, all in the scaled space."""
        for left in self._rounds(scaled, positions, step, rank):
            last = left
        return last.u, last.v, last.mask

    def _rounds(
        self, scaled: torch.Tensor, positions: torch.Tensor, step: SparseStep, rank: int
    ) -> "Iterator[_Round]":
        """What each iteration leaves; a single round of the sparse step alone at rank 0."""
        m, n = scaled.shape
        sparse = scaled * positions
        if rank == 0:
            u, v = scaled.new_zeros(m, 0), scaled.new_zeros(n, 0)
            yield _Round(u, v, step(scaled, sparse), scaled, sparse)
            return
        generator = torch.Generator().manual_seed(self.seed)
        v = random_factor(n, rank, generator=generator, device=scaled.device)
        residual = torch.empty_like(scaled)
        last = math.inf
        for _ in range(self.iterations):
            torch.sub(scaled, sparse, out=residual)
            u, v = STEPS[self.low_rank](residual, v, generator)
            torch.addmm(scaled, u, v.T, alpha=-1, out=residual)
            left = _Round(u, v, step(residual, sparse), residual, sparse)
            yield left
            if self.tolerance > 0:
                loss = left.loss()
                if last - loss < self.tolerance * last:
                    break
                last = loss


@dataclass(frozen=True, eq=False)
class _Round:
    """What one iteration leaves, in the scaled space; the next overwrites residual and sparse.

    Attributes:
        u: m×r.
        v: n×r.
        mask: Positions of S̃.
        residual: W̃ − L̃.
        sparse: S̃.
    """

    u: torch.Tensor
    v: torch.Tensor
    mask: torch.Tensor
    residual: torch.Tensor
    sparse: torch.Tensor

    def loss(self) -> float:
        """‖W̃ − L̃ − S̃‖_F."""
        return float(torch.linalg.norm(self.residual - self.sparse))
