"""SSLC-D: the layer-wise part of a recipe of mixed text, refined rounds and distillation. Ours."""

from dataclasses import dataclass

from sslc.methods.sslc_h import SslcH


@dataclass(frozen=True)
class SslcD(SslcH):
    """SSLC-H's rounds from a shorter start; its own text is mixed, and distillation follows it.

    A run that names no text calibrates on ``embedded:8,self:8``, and one that names no refinement
    takes ``logits`` (``registry.run_defaults``); ``--refine none`` leaves the layer-wise part.

    Attributes:
        kept_fraction: As in SSLC.
        rank_share: As in SSLC.
        iterations: Of SSLC, before the rounds.
        rounds: As in SSLC-H.
        solver_steps: As in SSLC-H.
        subspace_steps: As in SSLC-H.
        damping: As in SSLC-H.
        shrinkage: As in SSLC-H.
        seed: As in SSLC.

    Source: ours. The steps are those of SSLC-H; what differs is the text and what follows.
    """

    kept_fraction: float = 0.5
    rank_share: float = 0.0625
    iterations: int = 10
    rounds: int = 8
    solver_steps: int = 4
    subspace_steps: int = 2
    damping: float = 0.01
    shrinkage: float = 0.5
    seed: int = 0
    name = "sslc-d"
    title = "SSLC-D"
