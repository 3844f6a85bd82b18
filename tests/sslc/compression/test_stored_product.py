import pytest
import torch

from sslc.compression.rounding import to_stored
from sslc.methods.base import CompressedProjection
from sslc.model.weights import dense_weight, sparse_part, to_torch
from workloads.artifact.storage import Storage


@pytest.mark.parametrize("dtype", ["F32", "BF16", "F16"])
def test_stored_sparse_product_plus_thin_products_equal_the_dense_one(dtype: str) -> None:
    """What is measured computes the same Y on both sides."""
    torch.manual_seed(0)
    mask = torch.rand(12, 20) < 0.5
    made = CompressedProjection(
        mask, torch.randn(12, 20) * mask, torch.randn(12, 3), torch.randn(20, 3)
    )
    stored = to_stored(made, Storage.plain(dtype))
    x = torch.randn(20, 5)
    csr = sparse_part(stored).to_sparse_csr()
    u, v = to_torch(stored.u).float(), to_torch(stored.v).float()
    assert torch.allclose(csr @ x + u @ (v.T @ x), dense_weight(stored) @ x, atol=1e-5)


def test_to_stored_rounding_of_factors_is_taken_up_by_s() -> None:
    torch.manual_seed(0)
    mask = torch.rand(12, 20) < 0.5
    made = CompressedProjection(mask, torch.zeros(12, 20), torch.randn(12, 3), torch.randn(20, 3))
    whole = dense_weight(to_stored(made, Storage.plain("BF16")))
    error = (whole - made.u @ made.v.T).abs()
    assert error[mask].max() < 0.05 * error[~mask].max()


def test_to_stored_overflow_in_half_precision_raises() -> None:
    big = torch.full((2, 2), 1e6)
    made = CompressedProjection.sparse_only(big, big > 0)
    with pytest.raises(ValueError, match="not finite in F16"):
        to_stored(made, Storage.plain("F16"))
