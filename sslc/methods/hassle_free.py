"""HASSLE-free-ALPS: ALPS for the sparse part and the best low-rank part under H, in turn."""

import math
from dataclasses import dataclass

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.linalg.full_hessian import best_low_rank
from sslc.linalg.low_rank import random_factor
from sslc.linalg.selection import check_group
from sslc.linalg.support_search import SupportSearch, UnitHessian
from sslc.methods.alps import best_support
from sslc.methods.base import Budget, CompressedProjection, WorkingCopies, check_choice, check_share
from sslc.methods.split import check_rank, shared_budget

_ADAM_STEPS = 50
_ADAM_RATE = 1e-3


@dataclass(frozen=True)
class HassleFreeAlps:
    """Alternating minimisation of ‖(W − S − L)X‖, both steps under the full Hessian.

    Attributes:
        kept_fraction: Kept share of all parameters, factors included.
        rank_share: Share of all parameters that the factors take.
        rank: A fixed rank instead of the share; −1 for the share.
        group: Comparison group of S; the published one is the matrix.
        alternations: Of the two steps.
        iterations: At most so many ADMM iterations in each, from a cold start.
        solver_steps: Conjugate-gradient steps on the positions in each.
        low_rank: ``exact`` for the closed form, ``adam`` for 50 steps of Adam from the last L.
        damping: Share of the mean diagonal added to the Hessian.
        seed: Of the factor that Adam starts from.

    Source: Makni et al. 2025 (arXiv 2502.00899). The authors have two programs. The defaults are
    those of the later one (mazumder-lab/3BASiL): closed form, 40 alternations, at most 100
    iterations, the penalty from 0.1, the last iterate. ``low_rank=adam alternations=80
    iterations=200`` is the first (mazumder-lab/HASSLE-free): the penalty of alternation t starts at
    0.1(5t + 1), Adam's rate is 1e-3/(t + 10), and the best iterate is kept. L starts at zero.
    """

    kept_fraction: float = 0.5
    rank_share: float = 0.0625
    rank: int = -1
    group: str = "matrix"
    alternations: int = 40
    iterations: int = 100
    solver_steps: int = 10
    low_rank: str = "exact"
    damping: float = 0.01
    seed: int = 0
    name = "hassle-free-alps"
    title = "HASSLE-free-ALPS"
    needs_hessian = True
    needs_gradients = False
    working_copies = WorkingCopies(17.5, 3.9)

    def __post_init__(self) -> None:
        for name in ("kept_fraction", "rank_share"):
            check_share(name, getattr(self, name))
        check_group(self.group)
        check_rank(self.rank)
        check_choice("low_rank", self.low_rank, ("exact", "adam"))
        for name in ("alternations", "iterations"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.damping <= 0:
            raise ValueError(f"damping must be positive, got {self.damping}")

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """Alternate; each sparse step searches its positions anew."""
        (m, n), (rank, nonzeros) = weight.shape, self.budget(*weight.shape)
        hessian = statistics.damped_hessian(self.damping)
        unit, single = UnitHessian(hessian), hessian.float()
        root = torch.linalg.cholesky(hessian)
        adam = self.low_rank == "adam"
        u = weight.new_zeros(m, rank)
        generator = torch.Generator().manual_seed(self.seed)
        v = random_factor(n, rank, generator=generator, device=weight.device) / math.sqrt(n)
        least, best = math.inf, None
        for turn in range(self.alternations):
            penalty = 0.1 * (5 * turn + 1) if adam else 0.1
            search = SupportSearch(unit, nonzeros, self.group, penalty=penalty)
            mask, sparse = best_support(
                search, weight - u @ v.T,
                iterations=self.iterations, solver_steps=self.solver_steps,
            )  # fmt: skip
            if rank and adam:
                u, v = _adam_steps(weight - sparse, unit, (u, v), _ADAM_RATE / (turn + 10))
            elif rank:
                u, v = best_low_rank(weight - sparse, root, rank)
            lost = weight - sparse - u @ v.T
            loss = float(((lost @ single) * lost).sum())
            if loss < least or not adam:
                least, best = loss, CompressedProjection(mask, sparse, u, v)
        assert best is not None
        return best

    def budget(self, m: int, n: int) -> Budget:
        """Rank and nonzeros of S for an m×n projection."""
        return shared_budget(
            m, n, kept_fraction=self.kept_fraction, rank_share=self.rank_share, rank=self.rank,
            group=self.group,
        )  # fmt: skip


def _adam_steps(
    target: torch.Tensor,
    unit: UnitHessian,
    start: tuple[torch.Tensor, torch.Tensor],
    learning_rate: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """torch's Adam on ½‖(T − U Vᵀ)X‖², V scaled to the space where H has a unit diagonal."""
    u, v = start[0].clone(), start[1] * unit.root[:, None]
    scaled = target * unit.root
    with torch.enable_grad():
        factors = [part.detach().requires_grad_() for part in (u, v)]
        optimizer = torch.optim.Adam(factors, lr=learning_rate)
        for _ in range(_ADAM_STEPS):
            optimizer.zero_grad()
            lost = scaled - factors[0] @ factors[1].T
            loss = ((lost @ unit.matrix) * lost).sum() / 2
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return factors[0].detach(), factors[1].detach() / unit.root[:, None]
