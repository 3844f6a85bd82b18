import os
from pathlib import Path

import pytest

from workloads.support.errors import InputError
from workloads.support.files import open_tensors, read_json
from workloads.support.presets import read_toml
from workloads.support.reading import is_deep, read_bytes, read_text

READERS = [read_bytes, read_text, read_json, read_toml, open_tensors]


@pytest.mark.parametrize("reader", READERS)
def test_reading_a_pipe_a_directory_a_device_or_nothing_is_refused_at_once(
    reader: object, tmp_path: Path
) -> None:
    assert callable(reader)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for path, why in [
        (tmp_path / "pipe", "not a regular file"),
        (tmp_path, "not a regular file"),
        (Path("/dev/zero"), "not a regular file"),
        (tmp_path / "none", "No such file"),
        (tmp_path / "loop", "symbolic links"),
        (tmp_path / "n\0ul", "not a file name"),
        (tmp_path / ("n" * 300), "name too long"),
    ]:
        with pytest.raises(InputError, match=why):
            reader(path)


def test_read_text_byte_order_mark_and_other_line_ends_are_no_difference(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfa\r\nb\rc\n")
    assert read_text(tmp_path / "a") == "a\nb\nc\n"


def test_read_bytes_above_the_limit_names_both(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_bytes(tmp_path / "a", 5) == b"12345"
    with pytest.raises(InputError, match="5 bytes are more than the limit of 4"):
        read_bytes(tmp_path / "a", 4)


def test_is_deep_counts_levels() -> None:
    deep: object = 1
    for _ in range(100):
        deep = [deep, {"a": 1}]
    assert is_deep({"a": deep})
    assert not is_deep({"a": [[1], {"b": [2]}]})
    assert not is_deep(1)
