"""A real SIGKILL in the middle of a compression, and what --resume makes of it."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import SMALL_CUT, Run, kill_when
from workloads.support.working import mark

SLOW = ["--set", "iterations=25"]


def _finished_blocks(progress: Path) -> int:
    try:
        return len(json.loads(progress.read_text())["blocks"])
    except FileNotFoundError:
        return 0


def _kill_after(blocks: int, model: Path, out: Path, *flags: str) -> int:
    """Start compressing, kill -9 once so many blocks are finished; returns how many there were."""
    progress = out.with_name(f"{out.name}.partial") / "progress.json"
    kill_when(
        lambda: _finished_blocks(progress) >= blocks,
        "compress", model, "--out", out, *SMALL_CUT, *SLOW, *flags,
    )  # fmt: skip
    return _finished_blocks(progress)


def _bytes(directory: Path) -> dict[str, bytes]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def test_compress_killed_twice_and_resumed_is_byte_identical(
    sslc: Run, deep: Path, tmp_path: Path
) -> None:
    """With projections left dense and with settings by pattern, which --resume must compare."""
    overrides = tmp_path / "mine.toml"
    overrides.write_text('["layers.[3-5].*"]\nkept_fraction = 0.7\n[v_proj]\nmethod = "wanda"\n')
    choice = ["--exclude", "layers.6.*", "--exclude", "o_proj", "--overrides", str(overrides)]
    flags = [*SMALL_CUT, *SLOW, *choice]
    whole = sslc("compress", deep, "--out", tmp_path / "whole", *flags)
    assert whole.returncode == 0, whole.stderr
    out = tmp_path / "killed"
    assert _kill_after(2, deep, out, *choice) < 8
    refused = sslc("compress", deep, "--out", out, *flags)
    assert refused.returncode == 2
    assert "--resume" in refused.stderr
    overrides.write_text(overrides.read_text().replace("0.7", "0.8"))
    for changed in (flags, flags[: -len(choice)]):
        refused = sslc("compress", deep, "--out", out, *changed, "--resume")
        assert refused.returncode == 2
        assert "made with another choice" in refused.stderr
    overrides.write_text(overrides.read_text().replace("0.8", "0.7"))
    assert 5 <= _kill_after(5, deep, out, *choice, "--resume") < 8
    assert not out.exists()
    done = sslc("compress", deep, "--out", out, *flags, "--resume")
    assert done.returncode == 0, done.stderr
    overrides.unlink()
    assert _bytes(out) == _bytes(tmp_path / "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed", "whole"]


@pytest.mark.parametrize("flag", ["--resume", "--overwrite"])
def test_compress_killed_before_first_block_starts_over(
    sslc: Run, deep: Path, tmp_path: Path, flag: str
) -> None:
    out = tmp_path / "a"
    mark(tmp_path / "a.partial")
    (tmp_path / "a.partial" / "blocks").mkdir()
    done = sslc("compress", deep, "--out", out, *SMALL_CUT, "--set", "iterations=2", flag)
    assert done.returncode == 0, done.stderr
    assert (out / "manifest.json").is_file()
