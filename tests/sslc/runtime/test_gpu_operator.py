"""The GPU operator on the CPU: Triton's interpreter up to 16 tokens, panels by torch above."""

import ml_dtypes
import numpy as np
import pytest
import torch

from sslc.runtime import gpu_operator
from sslc.runtime.backends import Projection, choose_backend
from sslc.runtime.features import NotAvailableError
from sslc.runtime.gpu_expand import expand_rows, new_panel
from sslc.runtime.gpu_operator import GpuOperator, gpu_operands
from sslc.runtime.triton_kernels import triton_product
from tests.sslc.runtime.projections import projection
from workloads.support.errors import InputError


@pytest.mark.parametrize(
    ("rows", "columns", "density"), [(5, 700, 0.5), (9, 40, 1.0), (4, 1000, 0.02), (3, 9, 0.0)]
)
def test_expand_rows_panels_give_the_rows_back(rows: int, columns: int, density: float) -> None:
    case = projection(rows, columns, density, 0, dtype=torch.bfloat16, bias=False)
    panel = new_panel(case.operands, 4)
    for first in range(0, rows, 4):
        expanded = expand_rows(case.operands, first, panel)
        assert torch.equal(expanded, case.sparse[first : first + 4])


@pytest.mark.parametrize("tokens", [1, 16, 17, 40])
def test_gpu_operator_any_tokens_agree_with_the_dense_product(
    tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_operator, "PANEL_BYTES", 2 * 320 * 3)
    case = projection(7, 300, 0.5, 4, dtype=torch.float16, bias=True)
    x = torch.randn(tokens, 300).to(torch.float16).float()
    y = GpuOperator(case.operands, triton_product)(x)
    assert y.dtype == torch.float32
    # fp16 keeps 11 bits; x is the sum of a product and its projection, each rounded once or twice.
    assert case.relative_error(y, x) <= 4 * 2**-11


def test_gpu_operands_of_an_artifacts_projection_are_those_of_its_tensors() -> None:
    case = projection(6, 50, 0.4, 2, dtype=torch.bfloat16, bias=True)
    mask = (case.sparse != 0).numpy()
    stored = case.sparse.float().numpy().astype(ml_dtypes.bfloat16)
    bits = np.packbits(mask, axis=1, bitorder="little")
    u, v = (t.float().numpy().astype(ml_dtypes.bfloat16) for t in (case.u, case.v))
    assert case.bias is not None
    whole = Projection(bits, stored[mask], 50, u, v, case.bias.numpy())
    made = gpu_operands(whole, torch.device("cpu"))
    for name in ("values", "codes", "starts", "row_chunks", "u", "v", "bias"):
        assert torch.equal(getattr(made, name), getattr(case.operands, name)), name


def test_gpu_operands_of_fp32_values_are_refused() -> None:
    whole = Projection(np.zeros((2, 1), np.uint8), np.zeros(0, np.float32), 8)
    with pytest.raises(InputError, match="values are float32"):
        gpu_operands(whole, torch.device("cpu"))


@pytest.mark.parametrize("name", ["cuda", "triton"])
def test_choose_backend_without_a_cuda_device_says_what_is_missing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(NotAvailableError, match=f"{name} is not available: needs a CUDA device"):
        choose_backend(name, device="cuda")
