"""Products of the CPU kernels against float64 of the stored operands, at every level there is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sslc.runtime import cpu, features
from sslc.runtime.bitmap import BF16, FP32, INT8, SparseRows, ValueType, encode_bitmap
from sslc.runtime.quantize import quantize_x
from tests.sslc.runtime.cases import TOLERANCE, dequantized, make_case, worst_error
from workloads.support.errors import InputError

EVERY_LEVEL = pytest.mark.usefixtures("level")
KINDS = pytest.mark.parametrize("kind", [BF16, FP32, INT8], ids=lambda kind: kind.name)


def _x(tokens: int, columns: int, seed: int = 1) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((tokens, columns)).astype(np.float32)


@EVERY_LEVEL
@KINDS
@pytest.mark.parametrize("tokens", range(1, 18))
def test_multiply_any_tokens_agrees_with_float64(kind: ValueType, tokens: int) -> None:
    case = make_case(50, 333, kind=kind, rank=40)
    x = _x(tokens, 333)
    assert worst_error(case, x, cpu.multiply(case.matrix, x)) <= TOLERANCE


@EVERY_LEVEL
@KINDS
@pytest.mark.parametrize("tokens", [1, 3, 9])
def test_multiply_bf16_x_agrees_with_float64(kind: ValueType, tokens: int) -> None:
    case = make_case(50, 333, kind=kind, rank=40)
    x = _x(tokens, 333).astype(BF16.dtype)
    assert worst_error(case, x.astype(np.float32), cpu.multiply(case.matrix, x)) <= TOLERANCE


@EVERY_LEVEL
@KINDS
@pytest.mark.parametrize("kept", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("shape", [(1, 1, 0), (7, 100, 1), (6, 128, 0), (64, 640, 33)])
def test_multiply_ragged_shape_agrees_with_float64(
    kind: ValueType, shape: tuple[int, int, int], kept: float
) -> None:
    rows, columns, rank = shape
    case = make_case(rows, columns, kind=kind, rank=rank, kept=kept)
    x = _x(2, columns)
    assert worst_error(case, x, cpu.multiply(case.matrix, x, threads=2)) <= TOLERANCE


@given(
    kind=st.sampled_from([BF16, FP32, INT8]),
    level=st.sampled_from([level.name for level in features.LEVELS]),
    rows=st.integers(1, 40),
    columns=st.integers(1, 400),
    rank=st.sampled_from([0, 1, 32, 50]),
    kept=st.floats(0, 1),
    tokens=st.integers(1, 9),
    seed=st.integers(0, 9),
)
@settings(max_examples=80)
def test_multiply_random_projection_agrees_with_float64(
    kind: ValueType,
    level: str,
    rows: int,
    columns: int,
    rank: int,
    kept: float,
    tokens: int,
    seed: int,
) -> None:
    case = make_case(rows, columns, kind=kind, rank=rank, kept=kept, seed=seed)
    x = _x(tokens, columns, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(features.VARIABLE, level)
        assert worst_error(case, x, cpu.multiply(case.matrix, x)) <= TOLERANCE


@EVERY_LEVEL
def test_multiply_int8_with_scales_of_one_is_the_exact_integer() -> None:
    generator = np.random.default_rng(0)
    mask = generator.random((9, 512)) < 0.5
    values = generator.integers(-127, 128, mask.sum()).astype(np.int8)
    x = generator.integers(-127, 128, (5, 512)).astype(np.float32)
    x[:, ::128] = 127  # so that every group's scale is 1
    packed = np.packbits(mask, axis=1, bitorder="little")
    matrix = encode_bitmap(SparseRows(packed, values, 512, np.ones((9, 4))), INT8)
    dense = np.zeros(mask.shape, np.int64)
    dense[mask] = values
    assert (quantize_x(x).scales == 1).all()
    np.testing.assert_array_equal(cpu.multiply(matrix, x), x.astype(np.int64) @ dense.T)


@EVERY_LEVEL
def test_multiply_int8_extremes_do_not_saturate() -> None:
    mask = np.full((3, 32), 0xFF, np.uint8)
    matrix = encode_bitmap(
        SparseRows(mask, np.full(3 * 256, -127, np.int8), 256, np.ones((3, 2))), INT8
    )
    x = np.full((1, 256), -127, np.float32)
    np.testing.assert_array_equal(cpu.multiply(matrix, x), np.full((1, 3), 256 * 127 * 127))


@EVERY_LEVEL
@KINDS
def test_multiply_result_is_independent_of_threads(kind: ValueType) -> None:
    case = make_case(301, 200, kind=kind, rank=5)
    x = _x(3, 200)
    one = cpu.multiply(case.matrix, x)
    np.testing.assert_array_equal(cpu.multiply(case.matrix, x, threads=3), one)


@EVERY_LEVEL
@pytest.mark.parametrize("kind", [BF16, FP32], ids=lambda kind: kind.name)
@pytest.mark.parametrize("tokens", [1, 3, 9])
def test_multiply_dense_agrees_with_float64(kind: ValueType, tokens: int) -> None:
    weight = np.random.default_rng(0).standard_normal((21, 150)).astype(kind.dtype)
    x = _x(tokens, 150)
    y = cpu.multiply_dense(cpu.dense_matrix(weight, kind), x, threads=2)
    exact = x.astype(np.float64) @ weight.astype(np.float64).T
    size = np.abs(x) @ np.abs(weight.astype(np.float64)).T
    assert (np.abs(y - exact) / size).max() <= TOLERANCE


@EVERY_LEVEL
@pytest.mark.parametrize("tokens", [1, 3])
def test_multiply_dense_int8_agrees_with_float64(tokens: int) -> None:
    generator = np.random.default_rng(0)
    weight = generator.integers(-127, 128, (21, 300)).astype(np.int8)
    scales = generator.random((21, 3)).astype(np.float32)
    x = _x(tokens, 300)
    y = cpu.multiply_dense(cpu.dense_matrix(weight, INT8, scales=scales), x)
    dense = weight * np.repeat(scales.astype(np.float64), 128, axis=1)[:, :300]
    numbers = dequantized(quantize_x(x), 300)
    size = np.abs(numbers) @ np.abs(dense).T
    assert (np.abs(y - numbers @ dense.T) / size).max() <= TOLERANCE


@EVERY_LEVEL
@KINDS
@pytest.mark.parametrize("first", [0, 2])
def test_expand_panel_gives_rows_as_stored(kind: ValueType, first: int) -> None:
    case = make_case(14, 333, kind=kind, rank=3)
    panel = cpu.new_panel(case.matrix, 2)
    cpu.expand_panel(case.matrix, first, panel)
    rows = slice(3 * first, min(14, 3 * first + 6))
    count = rows.stop - rows.start
    expected = np.zeros((14, 333), kind.dtype)
    expected[case.mask] = case.sparse.values
    np.testing.assert_array_equal(panel.sparse[:count, :333], expected[rows])
    np.testing.assert_array_equal(panel.u[:count, :3], case.u[rows])
    if kind is INT8:
        assert case.sparse.scales is not None
        scales = case.sparse.scales.astype(np.float32)
        np.testing.assert_array_equal(panel.scales[:count, : scales.shape[1]], scales[rows])


def test_multiply_no_tokens_gives_no_rows() -> None:
    assert cpu.multiply(make_case(3, 5, kind=FP32).matrix, _x(0, 5)).shape == (0, 3)


def test_multiply_without_avx2_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(features.VARIABLE, "none")
    case = make_case(3, 5, kind=FP32)
    with pytest.raises(features.NotAvailableError, match="needs AVX2"):
        cpu.multiply(case.matrix, _x(1, 5))


def test_multiply_other_columns_are_an_input_error() -> None:
    with pytest.raises(InputError, match="give tokens by 5 columns"):
        cpu.multiply(make_case(3, 5, kind=FP32).matrix, _x(1, 6))
