import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from workloads.masks.npy import read_array
from workloads.support.errors import InputError


def header(text: str, version: int = 1, length: int | None = None) -> bytes:
    data = text.encode("utf-8")
    size = struct.pack("<H" if version == 1 else "<I", len(data) if length is None else length)
    return b"\x93NUMPY" + bytes([version, 0]) + size + data


def fields(descr: object = "|b1", order: object = False, shape: object = (2, 3)) -> str:
    return f"{{'descr': {descr!r}, 'fortran_order': {order!r}, 'shape': {shape!r}, }}\n"


@given(
    st.sampled_from(["?", "u1", "i1", "<i4", ">i2", "<f4", ">f8", "<f2", "i8"]).flatmap(
        lambda kind: arrays(kind, array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    ),
    st.booleans(),
)
def test_read_array_is_what_numpy_saved(
    tmp_path_factory: pytest.TempPathFactory, array: np.ndarray, fortran: bool
) -> None:
    path = tmp_path_factory.mktemp("npy") / "a.npy"
    np.save(path, np.asfortranarray(array) if fortran and array.ndim else array)
    found = read_array(path)
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert found.tobytes() == array.tobytes()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no header of numpy's"),
        (b"\x93NUMPY\x09\x00", "no header of numpy's"),
        (b"PK\x03\x04 not really a zip", r"several arrays \(\.npz\)"),
        (header(fields(), 2, 0xFFFFFFFF), "a header of 4,294,967,295 bytes"),
        (header(fields(), 2, 20_000) + bytes(20_000), "a header of 20,000 bytes"),
        (header(fields(shape=(-2, -3))) + bytes(6), r"a shape of \(-2, -3\)"),
        (header(fields(shape=(True, 6))) + bytes(6), r"a shape of \(True, 6\)"),
        (header(fields(shape=(2.0, 3))) + bytes(6), r"a shape of \(2\.0, 3\)"),
        (header(fields(shape=[2, 3])) + bytes(6), r"a shape of \[2, 3\]"),
        (header(fields(shape=(2**40, 2**40))) + bytes(6), "need .* bytes, 6 are there"),
        (header(fields(shape=(2, 3))) + bytes(5), "need 6 bytes, 5 are there"),
        (header(fields(shape=(1,) * 5)) + bytes(1), "2 to 4 dimensions"),
        (header(fields(descr="|O")) + bytes(48), "got dtype '|O'"),
        (header(fields(descr="<f3")) + bytes(48), "got dtype '<f3'"),
        (header(fields(descr="<M8[s]")) + bytes(48), "got dtype"),
        (header(fields(descr=[("a", "<f4")])) + bytes(48), "got dtype"),
        (header(fields(order=1)) + bytes(6), "dimensions"),
        (header("(" * 5000), "header cannot be read"),
        (header("__import__('os').abort()"), "header cannot be read"),
        (header("{'descr': '|b1'}"), "other fields"),
    ],
)
def test_read_array_headers_that_lie_are_refused(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "a.npy").write_bytes(data)
    with pytest.raises(InputError, match=message):
        read_array(tmp_path / "a.npy")
