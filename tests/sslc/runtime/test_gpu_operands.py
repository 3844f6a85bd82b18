import torch

from sslc.runtime.gpu_operands import check_tokens
from tests.sslc.runtime.projections import projection


def test_place_operands_ranks_and_columns_are_padded_with_zeros() -> None:
    case = projection(6, 21, 0.5, 3, dtype=torch.bfloat16, bias=True)
    operands = case.operands
    # 21 columns take three chunks, and one more chunk stands behind them.
    assert (operands.padded_columns, operands.padded_rank) == (32, 8)
    assert torch.equal(operands.v[:3, :21], case.v.T)
    assert torch.equal(operands.u[:, :3], case.u)
    assert operands.v[3:].count_nonzero() == operands.v[:, 21:].count_nonzero() == 0
    assert operands.u[:, 3:].count_nonzero() == 0
    assert operands.bias is not None
    assert operands.bias.dtype == torch.float32


def test_check_tokens_rounds_up_to_a_power_of_two() -> None:
    operands = projection(3, 16, 0.5, 0, dtype=torch.bfloat16, bias=False).operands
    counts = [check_tokens(operands, torch.zeros(t, 16).bfloat16()) for t in (1, 2, 3, 5, 9, 16)]
    assert counts == [1, 2, 4, 8, 16, 16]
