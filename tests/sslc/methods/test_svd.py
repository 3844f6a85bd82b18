"""Truncated SVD in the whitened space: the best error that a rank allows."""

import pytest
import torch

from sslc.methods.svd import SvdLlm
from tests.sslc.problems import small_problem, statistics_of


def test_svd_llm_reaches_the_best_error_of_its_rank() -> None:
    """No rank-r W' has a smaller ‖(W − W')X‖ than the tail of the singular values of W X."""
    weight, inputs = small_problem(30, 24)
    result = SvdLlm().compress(weight, statistics_of(inputs))
    rank = result.u.shape[1]
    values = torch.linalg.svdvals((weight @ inputs).double())
    best = float(values[rank:].square().sum().sqrt())
    lost = torch.linalg.norm((weight - result.u @ result.v.T) @ inputs)
    assert float(lost) == pytest.approx(best, rel=1e-3)
