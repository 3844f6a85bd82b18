"""What --dry-run says against what a run then gives and takes, seen from outside."""

import functools
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from transformers import LlamaConfig, LlamaForCausalLM

from sslc.methods.registry import METHODS
from tests.cli.conftest import SMALL_CUT, Run, command, document
from tests.conftest import VOCABULARY, save_tokenizer
from workloads.artifact.read import open_artifact

_WATCH = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(usage.ru_maxrss)
sys.exit(status != 0)
"""
WATCHED = {
    "sslc": [*SMALL_CUT, "--set", "iterations=2", "--workers", "8"],
    "sparsegpt": [*SMALL_CUT, "--method", "sparsegpt"],
}
WITHIN = 2.0
"""How far above the truth the estimated peak may lie."""


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two blocks of 7.1 million weights, so that matrices count beside the libraries."""
    directory = tmp_path_factory.mktemp("wide")
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=768,
        intermediate_size=2048,
        num_hidden_layers=2,
        num_attention_heads=8,
        num_key_value_heads=8,
    )
    LlamaForCausalLM(config).save_pretrained(directory)
    save_tokenizer(directory)
    return directory


def _dry(sslc: Run, *arguments: object) -> dict[str, Any]:
    done = sslc("compress", *arguments, "--dry-run", "--json")
    details: dict[str, Any] = document(done)["details"]
    return details


def _run_watched(*arguments: object) -> int:
    """Run the command in a process of its own; its peak resident bytes by the kernel.

    Through a small process: a child's peak begins with what its parent holds.
    """
    done = subprocess.run(
        [sys.executable, "-c", _WATCH, *command("compress", *arguments)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return int(done.stdout.splitlines()[-1]) * 1024


@pytest.mark.parametrize("method", sorted(METHODS))
def test_dry_run_counts_are_those_of_the_artifact(
    sslc: Run, llama: Path, tmp_path: Path, method: str
) -> None:
    overrides = tmp_path / "mine.toml"
    kept = 1.0 if method in ("gptq", "rtn") else 0.7
    overrides.write_text(f'["layers.1.*"]\nkept_fraction = {kept}\n')
    flags = ["--method", method, "--exclude", "o_proj", "--overrides", overrides, *SMALL_CUT]
    said = _dry(sslc, llama, *flags)
    before = sorted(tmp_path.iterdir())
    done = sslc("compress", llama, "--out", tmp_path / "a", *flags)
    assert done.returncode == 0, done.stderr
    assert before == [overrides]
    artifact = open_artifact(tmp_path / "a")
    expected = [
        (index, record.name, record.rank, record.nonzeros, record.kept_fraction)
        for index, block in enumerate(artifact.blocks)
        for record in block.projections
    ]
    keys = ("block", "name", "rank", "nonzeros", "kept_fraction")
    assert [tuple(entry[key] for key in keys) for entry in said["projections"]] == expected
    records = [record for block in artifact.blocks for record in block.projections]
    assert said["stored_bytes"] == sum(record.stored_bytes for record in records)


def test_dry_run_table_shows_blocks_that_differ(sslc: Run, llama: Path) -> None:
    done = sslc("compress", llama, "--dry-run", "--exclude", "layers.1.*.down_proj")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("mlp.down_proj")]
    assert [row[1:3] for row in rows] == [["0,", "2"], ["1", "64x96"]]
    assert "dense" in rows[1]
    assert "Estimated peak memory" in done.stdout
    assert "Estimated time" in done.stdout


def test_compress_table_shows_ranks_that_differ(sslc: Run, llama: Path, tmp_path: Path) -> None:
    flags = ["--exclude", "layers.1.*.down_proj", "--set", "iterations=1", *SMALL_CUT]
    done = sslc("compress", llama, "--out", tmp_path / "a", *flags)
    assert done.returncode == 0, done.stderr
    [row] = [line for line in done.stdout.splitlines() if line.startswith("mlp.down_proj")]
    assert "0 to 2" in row


@dataclass(frozen=True)
class Watched:
    """A run beside its estimate, each in a process of its own."""

    said: int
    peak: int
    artifact: Path


@pytest.fixture(scope="module")
def watched(
    sslc_process: Run, wide: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Watched]:
    """By method."""

    @functools.cache
    def run(method: str) -> Watched:
        out = tmp_path_factory.mktemp("watched") / "a"
        flags = WATCHED[method]
        said = _dry(sslc_process, wide, *flags)["estimated_peak_bytes"]
        return Watched(said, _run_watched(wide, "--out", out, *flags), out)

    return run


@pytest.mark.parametrize("method", ["sslc", "sparsegpt"])
def test_dry_run_memory_is_an_upper_bound_and_not_absurd(
    watched: Callable[[str], Watched], method: str
) -> None:
    run = watched(method)
    assert run.peak <= run.said <= WITHIN * run.peak


def test_max_memory_takes_fewer_workers_and_changes_no_byte(
    sslc_process: Run, wide: Path, watched: Callable[[str], Watched], tmp_path: Path
) -> None:
    """Room for some of eight workers, beside a run with all of them."""
    all_of_them, flags = watched("sslc"), WATCHED["sslc"]
    one = _dry(sslc_process, wide, *flags[:-1], 1)["estimated_peak_bytes"]
    limit = (one + all_of_them.said) // 2
    flags = [*flags, "--max-memory", limit]
    assert 1 <= _dry(sslc_process, wide, *flags)["workers"] < 8
    assert _run_watched(wide, "--out", tmp_path / "less", *flags) <= limit
    for file in ("manifest.json", "blocks/000.safetensors", "blocks/001.safetensors"):
        assert (tmp_path / "less" / file).read_bytes() == (all_of_them.artifact / file).read_bytes()
