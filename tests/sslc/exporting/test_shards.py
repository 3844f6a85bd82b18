"""Directories that appear whole or not at all."""

from pathlib import Path

import pytest

from sslc.exporting.shards import atomically
from workloads.support.errors import InputError


def test_atomically_failure_leaves_nothing(tmp_path: Path) -> None:
    def broken(partial: Path) -> None:
        (partial / "half").write_text("x")
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        atomically(tmp_path / "a", broken)
    assert list(tmp_path.iterdir()) == []


def test_atomically_what_stands_there_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(InputError, match="exists already"):
        atomically(tmp_path / "a", lambda partial: (partial / "b").touch())
    assert list((tmp_path / "a").iterdir()) == []


def test_atomically_is_there_with_all_that_was_written(tmp_path: Path) -> None:
    atomically(tmp_path / "deep" / "a", lambda partial: (partial / "b").touch())
    assert [path.name for path in (tmp_path / "deep" / "a").iterdir()] == ["b"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a"]
