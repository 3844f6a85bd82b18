"""Low-rank steps."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sslc.linalg.low_rank import brp_step, random_factor, subspace_step


def test_brp_step_singular_projection_is_named() -> None:
    generator = torch.Generator().manual_seed(0)
    with pytest.raises(ValueError, match="diverged"):
        brp_step(torch.zeros(6, 5), torch.zeros(5, 2), generator)


@given(st.integers(0, 1000))
def test_subspace_step_error_never_rises_and_reaches_svd(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(12, 9, generator=generator, dtype=torch.float64)
    matrix *= 0.6 ** torch.arange(9)
    v = random_factor(9, 3, generator=generator, device=torch.device("cpu")).double()
    errors = []
    for _ in range(200):
        q, v = subspace_step(matrix, v, generator)
        errors.append(float(torch.linalg.norm(matrix - q @ v.T)))
    assert (np.diff(errors) <= 1e-9).all()
    best = float(torch.linalg.svdvals(matrix)[3:].square().sum().sqrt())
    assert best - 1e-9 <= errors[-1] <= best * 1.02
