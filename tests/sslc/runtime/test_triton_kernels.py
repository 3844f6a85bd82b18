"""The Triton kernels in Triton's interpreter, which runs them on the CPU."""

import pytest
import torch

from sslc.runtime.triton_kernels import triton_product
from tests.sslc.runtime.projections import projection
from workloads.support.errors import InputError


@pytest.mark.parametrize(
    ("m", "n", "density", "rank", "tokens"),
    [
        (3, 5, 0.5, 0, 1),
        (4, 1000, 0.5, 3, 2),
        (3, 130, 0.01, 1, 3),
        (3, 640, 1.0, 8, 4),
        (5, 77, 0.0, 5, 8),
        (3, 1030, 0.3, 70, 16),
    ],
)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_triton_product_ragged_shapes_agree_with_float64(
    m: int, n: int, density: float, rank: int, tokens: int, dtype: torch.dtype
) -> None:
    case = projection(m, n, density, rank, dtype=dtype, bias=tokens % 2 == 0)
    x = torch.randn(tokens, n).to(dtype)
    y = triton_product(case.operands, x, output=torch.float32)
    assert y.shape == (tokens, m)
    assert case.relative_error(y, x) <= 1e-5


def test_triton_product_by_default_rounds_to_the_operands_dtype() -> None:
    # fp16, because the interpreter truncates to bf16 where a GPU rounds.
    case = projection(5, 300, 0.5, 2, dtype=torch.float16, bias=False)
    x = torch.randn(1, 300).to(torch.float16)
    full = triton_product(case.operands, x, output=torch.float32)
    assert torch.equal(triton_product(case.operands, x), full.to(torch.float16))


def test_triton_product_too_many_tokens_are_refused() -> None:
    case = projection(3, 16, 0.5, 0, dtype=torch.bfloat16, bias=False)
    with pytest.raises(InputError, match="17 tokens, the decode kernels take 1 to 16"):
        triton_product(case.operands, torch.zeros(17, 16, dtype=torch.bfloat16))


@pytest.mark.parametrize(
    "x", [torch.zeros(1, 15, dtype=torch.bfloat16), torch.zeros(1, 16, dtype=torch.float16)]
)
def test_triton_product_x_of_another_width_or_dtype_is_refused(x: torch.Tensor) -> None:
    case = projection(3, 16, 0.5, 0, dtype=torch.bfloat16, bias=False)
    with pytest.raises(InputError, match="should be tokens × 16"):
        triton_product(case.operands, x)
