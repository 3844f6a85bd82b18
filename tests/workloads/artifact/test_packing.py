"""Numbers of few bits as bytes: by hand, and there and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.artifact.packing import pack_integers, unpack_integers, value_scales
from workloads.masks.packed import PackedMask


def test_pack_integers_by_hand() -> None:
    """Lowest bits first: −1 and 3 of four bits are 0x3F; 1, 0, 0, −1 of six are 1 and 63 << 18."""
    assert pack_integers(np.array([-1, 3], np.int8), 4).tolist() == [0x3F]
    packed = pack_integers(np.array([1, 0, 0, -1], np.int8), 6)
    assert int.from_bytes(packed.tobytes(), "little") == 1 | 63 << 18


@given(st.sampled_from([4, 6]), st.lists(st.integers(-32, 31), max_size=20))
def test_unpack_integers_is_the_inverse(bits: int, given_numbers: list[int]) -> None:
    half = 2 ** (bits - 1)
    numbers = np.clip(np.array(given_numbers, np.int8), -half, half - 1)
    packed = pack_integers(numbers, bits)
    assert len(packed) == -(-len(numbers) * bits // 8)
    assert (unpack_integers(packed, bits, len(numbers)) == numbers).all()


def test_unpack_integers_bits_behind_the_last_are_refused() -> None:
    with pytest.raises(ValueError, match="behind the last number"):
        unpack_integers(np.array([0x1F], np.uint8), 4, 1)


def test_value_scales_follow_the_mask() -> None:
    """Two groups of 8 columns and a short one: 1, 0 and 2 values in the first row."""
    mask = np.zeros((2, 18), np.bool_)
    mask[0, [3, 16, 17]] = mask[1, 8] = True
    scales = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    assert value_scales(PackedMask.pack(mask), scales, 8).tolist() == [1, 3, 3, 5]
