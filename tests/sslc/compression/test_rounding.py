"""Rounding to the stored dtype: what S can make up for, and what does not fit."""

import numpy as np
import pytest
import torch

from sslc.compression.rounding import to_stored
from sslc.methods.base import CompressedProjection
from sslc.model.weights import dense_weight
from workloads.artifact.storage import Storage


def _projection(scale: float = 1.0) -> CompressedProjection:
    generator = torch.Generator().manual_seed(0)
    mask = torch.rand(12, 20, generator=generator) < 0.5
    u, v = torch.randn(12, 3, generator=generator), torch.randn(20, 3, generator=generator)
    sparse = torch.randn(12, 20, generator=generator) * mask
    return CompressedProjection(mask, sparse * scale, u, v)


def test_to_stored_f32_is_exact() -> None:
    given, bias = _projection(), torch.arange(12.0)
    stored = to_stored(given, Storage.plain("F32"), bias=bias)
    assert np.array_equal(stored.values, given.sparse[given.mask].numpy())
    assert np.array_equal(stored.mask.unpack(), given.mask.numpy())
    assert stored.bias is not None
    assert np.array_equal(stored.bias, bias.numpy())


@pytest.mark.parametrize(("dtype", "precision"), [("BF16", 2.0**-8), ("F16", 2.0**-11)])
def test_to_stored_kept_entries_lose_only_the_rounding_of_s(dtype: str, precision: float) -> None:
    """There S takes up what rounding U and V lost; elsewhere the factors' own loss stays."""
    given = _projection()
    whole = given.sparse + given.u @ given.v.T
    stored = to_stored(given, Storage.plain(dtype))
    lost = (dense_weight(stored) - whole).abs()
    low_rank = dense_weight(stored) - (given.u @ given.v.T)
    assert (lost[given.mask] <= precision * low_rank[given.mask].abs() + 1e-2 * precision).all()
    assert lost[~given.mask].max() > precision


def test_to_stored_value_beyond_the_dtype_is_refused() -> None:
    with pytest.raises(ValueError, match="not finite in F16"):
        to_stored(_projection(scale=1e6), Storage.plain("F16"))
