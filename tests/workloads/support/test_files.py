"""Safetensors as we write them against the library's own writer."""

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save

from workloads.support.files import LazyTensors, open_tensors, write_tensors

ARRAYS: dict[str, NDArray[Any]] = {
    "z.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a.mask": np.arange(5, dtype=np.uint8),
    "b.values": np.arange(7).astype(ml_dtypes.bfloat16),
    "c.half": np.arange(3, dtype=np.float16),
    "d.empty": np.zeros((4, 0), dtype=np.float32),
    "e.long": np.arange(2, dtype=np.int64),
    "f.double": np.array([3.5]),
    "ä.flag": np.array([True, False]),
}


def test_write_tensors_bytes_equal_the_library_s(tmp_path: Path) -> None:
    write_tensors(tmp_path / "ours", ARRAYS)
    expected = save(dict(ARRAYS), metadata={"format": "pt"})
    assert (tmp_path / "ours").read_bytes() == expected


def test_write_tensors_of_a_transposed_array_writes_its_values(tmp_path: Path) -> None:
    write_tensors(tmp_path / "t", {"a": ARRAYS["z.weight"].T})
    assert np.array_equal(open_tensors(tmp_path / "t").read("a"), ARRAYS["z.weight"].T)


def test_lazy_tensors_of_two_files_are_written_as_one(tmp_path: Path) -> None:
    names = sorted(ARRAYS)
    for part in range(2):
        write_tensors(tmp_path / str(part), {name: ARRAYS[name] for name in names[part::2]})
    files = {n: open_tensors(tmp_path / str(place % 2)) for place, n in enumerate(names)}
    lazy = LazyTensors(files)
    assert len(lazy) == len(names)
    write_tensors(tmp_path / "whole", lazy)
    write_tensors(tmp_path / "expected", ARRAYS)
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "expected").read_bytes()


def test_write_tensors_stopped_midway_leaves_the_old_file(tmp_path: Path) -> None:
    class Failing(dict[str, np.ndarray]):
        asked = 0

        def __getitem__(self, name: str) -> np.ndarray:
            self.asked += 1
            if self.asked == 2:
                raise OSError("the disk is gone")
            return super().__getitem__(name)

    (tmp_path / "kept").write_bytes(b"old")
    with pytest.raises(OSError, match="the disk is gone"):
        write_tensors(tmp_path / "kept", Failing({"a": np.ones(3), "b": np.ones(2)}))
    assert (tmp_path / "kept").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
