"""The bitmap format: bytes by hand, and what is read back."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sslc.runtime.bitmap import (
    BF16,
    FP32,
    INT8,
    SparseRows,
    ValueType,
    decode_bitmap,
    encode_bitmap,
)
from tests.sslc.runtime.cases import make_case
from workloads.support.errors import InputError


def test_encode_three_rows_gives_the_stream_by_hand() -> None:
    mask = np.array([[0b101], [0], [0b10]], np.uint8)
    values = np.array([1, 2, 3], ml_dtypes.bfloat16)
    matrix = encode_bitmap(SparseRows(mask, values, 3), BF16)
    masks = [0b101, *[0] * 7, *[0] * 8, 0b10, *[0] * 7, *[0] * 3 * 24]
    bf16 = [0x80, 0x3F, 0x00, 0x40, 0x40, 0x40]  # 1, 2 and 3, low byte first
    assert matrix.stream[:102].tolist() == masks + bf16
    assert matrix.offsets.tolist() == [0, 102]
    assert matrix.bytes == 102 + 16


def test_encode_int8_puts_scales_behind_the_masks() -> None:
    mask = np.array([[1], [0], [0]], np.uint8)
    scales = np.array([[1], [2], [0.5]], ml_dtypes.bfloat16)
    sparse = SparseRows(mask, np.array([-3], np.int8), 1, scales)
    stream = encode_bitmap(sparse, INT8).stream
    assert stream[96:113].tolist() == [0x80, 0x3F, 0x00, 0x40, 0x00, 0x3F, *[0] * 10, 253]


@pytest.mark.parametrize("kind", [BF16, FP32, INT8], ids=lambda kind: kind.name)
@given(
    rows=st.integers(1, 8),
    columns=st.integers(1, 300),
    rank=st.integers(0, 40),
    kept=st.sampled_from([0.0, 0.3, 1.0]),
)
@settings(max_examples=15)
def test_decode_gives_back_what_was_encoded(
    kind: ValueType, rows: int, columns: int, rank: int, kept: float
) -> None:
    case = make_case(rows, columns, kind=kind, rank=rank, kept=kept)
    sparse, scales, u = decode_bitmap(case.matrix)
    expected = np.zeros((rows, columns), kind.dtype)
    expected[case.mask] = case.sparse.values
    np.testing.assert_array_equal(sparse, expected)
    np.testing.assert_array_equal(u, case.u)
    np.testing.assert_array_equal(case.matrix.v_rows[:, :columns], case.v.T)
    if kind is INT8:
        np.testing.assert_array_equal(scales, case.sparse.scales)


def test_encode_bits_beyond_the_last_column_are_ignored() -> None:
    sparse = SparseRows(np.array([[0xFF]], np.uint8), np.ones(3, np.float32), 3)
    assert decode_bitmap(encode_bitmap(sparse, FP32))[0].tolist() == [[1, 1, 1]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": np.ones(2, np.float32)}, "mask has 3 bits and there are 2 values"),
        ({"columns": 9}, "columns need whole bytes"),
        ({"u": np.ones((1, 2))}, "u is"),
        ({"bias": np.ones(2)}, "bias has shape"),
        ({"scales": np.ones((1, 1))}, "scales belong to int8 values"),
    ],
)
def test_encode_shapes_that_disagree_are_an_input_error(
    change: dict[str, Any], message: str
) -> None:
    parts: dict[str, Any] = {
        "mask": np.array([[7]], np.uint8),
        "values": np.ones(3, np.float32),
        "columns": 3,
    }
    factors = {name: change.pop(name) for name in ("u", "bias") if name in change}
    with pytest.raises(InputError, match=message):
        encode_bitmap(SparseRows(**{**parts, **change}), FP32, **factors)
