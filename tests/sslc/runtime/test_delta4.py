import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sslc.runtime.delta4 import Delta4, decode_delta4, encode_delta4
from workloads.support.errors import InputError


def encoded(dense: NDArray[np.generic]) -> Delta4:
    mask = dense != 0
    packed = np.packbits(mask, axis=1, bitorder="little")
    return encode_delta4(packed, dense[mask], columns=dense.shape[1])


def test_encode_delta4_one_row_gives_the_codes_worked_out_by_hand() -> None:
    dense = np.zeros((1, 40), np.uint16)
    dense[0, [0, 3, 20, 39]] = [11, 12, 13, 14]
    matrix = encoded(dense)
    # Distances 1, 3, then 16 (a zero) and 1, then 16 (a zero) and 3; two entries of padding.
    distances = [1, 3, 16, 1, 16, 3, 1, 1]
    assert matrix.values.tolist() == [11, 12, 0, 13, 0, 14, 0, 0]
    assert matrix.codes.tolist() == [sum((d - 1) << (4 * i) for i, d in enumerate(distances))]
    assert matrix.row_chunks.tolist() == [0, 1]
    assert matrix.starts[0, 0] == 0


def test_encode_delta4_dense_row_of_33_chunks_gives_its_lanes_runs_in_order() -> None:
    dense = np.arange(1, 265, dtype=np.uint16)[None]
    matrix = encoded(dense)
    # 33 chunks: lane 0 owns chunks 0 and 1, lane l > 0 owns chunk l + 1.
    assert matrix.starts[0, :3].tolist() == [0, 16, 24]
    chunks = matrix.values.reshape(-1, 8)
    assert chunks[0].tolist() == list(range(1, 9))
    assert chunks[1].tolist() == list(range(17, 25))
    assert chunks[32].tolist() == list(range(9, 17))


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 6),
    columns=st.integers(1, 700),
    density=st.sampled_from([0.0, 0.01, 0.3, 0.5, 1.0]),
    dtype=st.sampled_from([np.uint16, np.float32]),
    seed=st.integers(0, 2**32 - 1),
)
def test_decode_delta4_any_matrix_gives_it_back(
    rows: int, columns: int, density: float, dtype: type, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    dense: NDArray[np.generic] = rng.integers(1, 60000, (rows, columns)).astype(dtype)
    dense[rng.random((rows, columns)) >= density] = 0
    matrix = encoded(dense)
    np.testing.assert_array_equal(decode_delta4(matrix), dense)
    assert matrix.values.size == 8 * matrix.codes.size == 8 * matrix.row_chunks[-1]


def test_delta4_bytes_at_half_density_are_a_quarter_above_the_values() -> None:
    rng = np.random.default_rng(0)
    dense = np.ones((64, 4096), np.uint16)
    dense[rng.random(dense.shape) < 0.5] = 0
    kept = 2 * np.count_nonzero(dense)
    # 4 bits a value, 64 bytes of lane starts and 4 of offset a row, and at most 7 zeros a row.
    assert 1.25 * kept + 68 * 64 <= encoded(dense).bytes <= 1.27 * kept + 68 * 64 + 4


@pytest.mark.parametrize(
    ("shape", "values", "columns", "message"),
    [
        ((2, 2), 0, 17, "does not have 17 columns"),
        ((2, 2), 5, 16, "keeps 0 values but 5 values"),
        ((2, 8192), 0, 65536, "from 1 to 65528"),
    ],
)
def test_encode_delta4_unfitting_input_is_refused(
    shape: tuple[int, int], values: int, columns: int, message: str
) -> None:
    mask = np.zeros(shape, np.uint8)
    with pytest.raises(InputError, match=message):
        encode_delta4(mask, np.zeros(values, np.uint16), columns=columns)


def test_encode_delta4_bit_past_the_last_column_is_refused() -> None:
    mask = np.array([[0b1000]], np.uint8)
    with pytest.raises(InputError, match="past its last column 2"):
        encode_delta4(mask, np.ones(1, np.uint16), columns=3)
