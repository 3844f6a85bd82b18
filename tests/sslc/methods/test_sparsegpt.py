"""SparseGPT against optimal brain surgeon with the inverse Hessian written out."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sslc.calibration.statistics import InputStatistics
from sslc.methods.sparsegpt import SparseGpt, inverse_factor
from tests.reference.compression import keep_top_rows
from tests.sslc.problems import small_problem, statistics_of

Matrix = NDArray[np.float64]


def _sparsegpt_reference(weight: Matrix, hessian: Matrix, block: int, nonzeros: int) -> Matrix:
    """Optimal brain surgeon column by column, with the inverse Hessian updated explicitly."""
    w, inverse = weight.copy(), np.linalg.inv(hessian)
    n = w.shape[1]
    for start in range(0, n, block):
        stop = min(start + block, n)
        shrinking, scores = inverse.copy(), np.zeros((w.shape[0], stop - start))
        for column in range(start, stop):
            scores[:, column - start] = w[:, column] ** 2 / shrinking[column, column]
            pivot = shrinking[:, column].copy()
            shrinking -= np.outer(pivot, pivot) / pivot[column]
        keep = nonzeros * stop // n - nonzeros * start // n
        mask = keep_top_rows(scores.reshape(1, -1), [keep]).reshape(scores.shape)
        for column in range(start, stop):
            pivot = inverse[:, column].copy()
            lost = np.where(mask[:, column - start], 0, w[:, column]) / pivot[column]
            w[:, column:] -= np.outer(lost, pivot[column:])
            w[~mask[:, column - start], column] = 0
            inverse -= np.outer(pivot, pivot) / pivot[column]
    return w


@pytest.mark.parametrize("block", [4, 7, 64])
def test_sparsegpt_equals_explicit_brain_surgeon(block: int) -> None:
    weight, inputs = small_problem(10, 20)
    statistics = statistics_of(inputs)
    found = SparseGpt(block_columns=block).compress(weight, statistics).sparse
    hessian = statistics.damped_hessian(0.01).numpy()
    expected = _sparsegpt_reference(weight.double().numpy(), hessian, block, 100)
    assert found.numpy() == pytest.approx(expected, abs=1e-3)


def _sparsegpt_pattern_reference(weight: Matrix, hessian: Matrix, keep: int, of: int) -> Matrix:
    """Brain surgeon with the mask of M columns chosen from the weights when they are reached."""
    w, inverse = weight.copy(), np.linalg.inv(hessian)
    n = w.shape[1]
    for start in range(0, n, of):
        shrinking, scores = inverse.copy(), np.zeros((w.shape[0], of))
        for column in range(start, start + of):
            scores[:, column - start] = w[:, column] ** 2 / shrinking[column, column]
            pivot = shrinking[:, column].copy()
            shrinking -= np.outer(pivot, pivot) / pivot[column]
        mask = keep_top_rows(scores, [keep] * w.shape[0])
        for column in range(start, start + of):
            pivot = inverse[:, column].copy()
            pruned = ~mask[:, column - start]
            lost = np.where(pruned, w[:, column], 0) / pivot[column]
            w[:, column:] -= np.outer(lost, pivot[column:])
            w[pruned, column] = 0
            inverse -= np.outer(pivot, pivot) / pivot[column]
    return w


@pytest.mark.parametrize(("keep", "of"), [(2, 4), (4, 8), (1, 4)])
@pytest.mark.parametrize("block", [8, 128])
def test_sparsegpt_pattern_equals_explicit_brain_surgeon(keep: int, of: int, block: int) -> None:
    weight, inputs = small_problem(10, 24)
    statistics = statistics_of(inputs)
    method = SparseGpt(keep / of, block_columns=block, group=f"{keep}:{of}")
    result = method.compress(weight, statistics)
    hessian = statistics.damped_hessian(0.01).numpy()
    expected = _sparsegpt_pattern_reference(weight.double().numpy(), hessian, keep, of)
    assert (result.mask.reshape(-1, of).sum(dim=1) == keep).all()
    assert result.sparse.numpy() == pytest.approx(expected, abs=1e-3)


def test_sparsegpt_pattern_across_blocks_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of the columns of 4:8, got 12"):
        SparseGpt(block_columns=12, group="4:8")


def test_inverse_factor_singular_hessian_raises_damping_and_says_so() -> None:
    statistics = InputStatistics(torch.ones(3), torch.zeros(3), torch.ones(3), -torch.ones(3, 3))
    with (
        pytest.warns(UserWarning, match="damping"),
        pytest.raises(ValueError, match="not positive definite"),
    ):
        inverse_factor(statistics, 0.01)
