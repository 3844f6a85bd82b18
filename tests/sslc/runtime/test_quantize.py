"""int8 groups by hand."""

import ml_dtypes
import numpy as np

from sslc.runtime.bitmap import SparseRows
from sslc.runtime.quantize import quantize_rows, quantize_x


def test_quantize_x_scales_each_group_by_its_largest() -> None:
    x = np.zeros((1, 130), np.float32)
    x[0, [0, 1, 129]] = 254, -3, -6.35
    quantized = quantize_x(x)
    np.testing.assert_allclose(quantized.scales, [[2, 0.05]], rtol=1e-6)
    assert quantized.numbers[0, [0, 1, 128, 129]].tolist() == [127, -2, 0, -127]


def test_quantize_x_zeros_stay_zero() -> None:
    quantized = quantize_x(np.zeros((2, 5), np.float32))
    assert not quantized.numbers.any()
    assert not quantized.scales.any()


def test_quantize_rows_scales_each_group_of_a_row_and_stores_bf16() -> None:
    mask = np.zeros((2, 17), np.uint8)
    mask[0, [0, 16]] = 0b11, 0b10  # columns 0, 1 and 129
    values = np.array([254, -3, 127], np.float32)
    quantized = quantize_rows(SparseRows(mask, values, 130))
    assert quantized.scales is not None
    assert quantized.scales.dtype == ml_dtypes.bfloat16
    assert quantized.scales.astype(float).tolist() == [[2, 1], [0, 0]]
    assert quantized.values.tolist() == [127, -2, 127]
