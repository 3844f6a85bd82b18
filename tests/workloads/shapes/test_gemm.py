from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.shapes.gemm import (
    Gemm,
    count_within,
    exact,
    kept_nonzeros,
    largest_rank,
    row_budgets,
)
from workloads.shapes.transformer import load_model


@pytest.mark.parametrize(
    ("model", "mha", "ffn", "mha_rank", "ffn_rank"),
    [
        ("llama2-7b", 16384, 33024, 1024, 1416),
        ("qwen2.5-7b", 7168, 49728, 704, 2112),
    ],
)
def test_model_shapes_published_rows_exact(
    model: str, mha: int, ffn: int, mha_rank: int, ffn_rank: int
) -> None:
    """The published dense and low-rank cycles are parameters / 4096 (Table 4)."""
    dense, low_rank = {"MHA": 0, "FFN": 0}, {"MHA": 0, "FFN": 0}
    for gemm in load_model(model).projections():
        dense[gemm.module] += gemm.macs
        low_rank[gemm.module] += gemm.low_rank_macs(128)
    assert dense == {"MHA": mha * 4096, "FFN": ffn * 4096}
    assert low_rank == {"MHA": mha_rank * 4096, "FFN": ffn_rank * 4096}


def test_largest_rank_share_of_exact_rank_gives_that_rank() -> None:
    assert largest_rank(4096, 4096, 0.0625) == 128
    for rank in range(1, 60):
        assert largest_rank(576, 1536, rank * (576 + 1536) / (576 * 1536)) == rank


def test_kept_nonzeros_pays_for_factors() -> None:
    """4096x4096 at 50% with rank 128: 43.75% of the entries stay (ERRATA, Section 4.2.3)."""
    assert kept_nonzeros(4096, 4096, 0.5, 128) == 0.4375 * 4096 * 4096
    assert kept_nonzeros(10, 10, 0.1, 2) == -30


def test_kept_nonzeros_decimal_fraction_is_not_lost_to_rounding() -> None:
    assert kept_nonzeros(10, 10, 0.29, 0) == 29


@pytest.mark.parametrize(
    ("m", "n", "kept", "expected"),
    [
        (14336, 5120, 0.7, 51_380_224),
        (28672, 5120, 0.7, 102_760_448),
        (14336, 5120, 0.35, 25_690_112),
        (28672, 8192, 0.55, 129_184_563),  # 129,184,563.2
        (18944, 3584, 1.0, 18944 * 3584),
        (18944, 3584, 0.0, 0),
    ],
)
def test_kept_nonzeros_of_large_projections_is_exact(
    m: int, n: int, kept: float, expected: int
) -> None:
    assert kept_nonzeros(m, n, kept, 0) == expected


@given(
    st.integers(1, 40_000), st.integers(1, 40_000), st.integers(0, 10_000), st.integers(1, 40_000)
)
def test_count_within_decimal_shares_and_computed_shares_are_exact(
    m: int, n: int, parts: int, count: int
) -> None:
    assert count_within(parts / 10_000, m * n) == m * n * parts // 10_000
    assert count_within(min(count, m * n) / (m * n), m * n) == min(count, m * n)
    rank = min(count, m * n // (m + n))
    assert largest_rank(m, n, rank * (m + n) / (m * n)) == rank


def test_largest_rank_of_a_product_of_shares_is_exact() -> None:
    """0.7 of 0.1 is 0.07: 7 of 100 units of a 200x200 matrix, which floats put just below."""
    assert largest_rank(200, 200, exact(0.7) * exact(0.1)) == 7
    assert exact(0.1) == Fraction(1, 10)


def test_row_budgets_remainder_goes_first() -> None:
    assert row_budgets(11, 4) == (2, 3)


def test_gemm_bad_shape_names_projection() -> None:
    with pytest.raises(ValueError, match="q_proj"):
        Gemm("q_proj", "MHA", 0, 4)
