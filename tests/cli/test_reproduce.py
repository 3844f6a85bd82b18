"""``sslc reproduce`` as a user types it: outputs, refusals, and a kill in the middle."""

import fnmatch
import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Run, document, kill_when, results_of, validate
from tests.tasks import Task, write_task
from workloads.support.working import one_writer

SMALL = ("--windows", 2, "--window-tokens", 32, "--max-tokens", 128)


@pytest.fixture(scope="module")
def small(short_texts: tuple[Path, Path]) -> tuple[object, ...]:
    """Options for a quick run."""
    return (*SMALL, "--calibration", short_texts[0], "--text", short_texts[1])


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return write_task(tmp_path_factory.mktemp("task"))


def _named(done: subprocess.CompletedProcess[str], pattern: str) -> Path:
    """The one file that a run says it wrote under such a name."""
    lines = [line.partition("wrote ")[2] for line in done.stderr.splitlines()]
    (path,) = [Path(line) for line in lines if fnmatch.fnmatch(Path(line).name, pattern)]
    return path


def test_reproduce_two_tables_and_a_figure_write_every_format(
    sslc: Run, llama: Path, small: tuple[object, ...], tmp_path: Path
) -> None:
    asked = ("table7", "figure6", "table7", "--model", llama, *small, "--blocks", 1)
    done = sslc("reproduce", *asked, "--out", tmp_path, "--json")
    printed = document(done)
    assert [table["name"] for table in printed["tables"]] == ["table7", "figure6"]
    hashes = {result["sha256"] for result in printed["results"]}
    assert len(hashes) == len(printed["results"])
    for table in printed["tables"]:
        name = table["name"]
        kept = json.loads(_named(done, f"{name}-*.json").read_text())
        validate(kept)
        assert kept["tables"] == [table]
        assert {result["sha256"] for result in kept["results"]} <= hashes
        for suffix in ("txt", "md", "tex", "csv"):
            assert _named(done, f"{name}-*.{suffix}").stat().st_size > 100
    assert _named(done, "figure6-*.png").read_bytes().startswith(b"\x89PNG")
    page = _named(done, "page-*.html").read_text()
    assert page.count("<h2") >= 2
    assert 'http-equiv="refresh"' not in page
    assert "ONLY THE FIRST 1 OF 3 BLOCKS" in page


def test_reproduce_bits_sets_every_method_beside_dense_quantisation(
    sslc: Run, llama: Path, small: tuple[object, ...], tmp_path: Path
) -> None:
    asked = ("bits", "--model", llama, *small, "--blocks", 1, "--method", "wanda")
    done = sslc("reproduce", *asked, "--out", tmp_path, "--json")
    (table,) = document(done)["tables"]
    cells = [list(row.values()) for row in table["rows"]]
    rows = {(row[0], row[1]): row for row in cells}
    of_scales = 16 * 448 / 30_720  # a scale for each row of a block: none has 128 columns
    assert rows["RTN", "int4"][2] == pytest.approx(4 + of_scales)
    assert rows["RTN", "int4, groups of 32"][2] == pytest.approx(4 + 16 / 32)
    assert len(rows) == 1 + 2 + 2 * 3
    for stored in ("int8 / int8", "int4 / int8"):
        method = rows["Wanda", stored]
        fitting = [r for r in cells if r[0] in ("RTN", "GPTQ") and r[2] <= method[2]]
        best = min(fitting, key=lambda row: float(row[3]), default=None)
        if best is None:
            assert "none is as small" in method[4]
        else:
            said = "wins over" if method[3] < best[3] else "loses to"
            assert method[4].endswith(f"{said} {best[0]} {best[1]}")
    assert _named(done, "bits-*.png").read_bytes().startswith(b"\x89PNG")
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "cells").iterdir()}
    again = sslc("reproduce", *asked, "--out", tmp_path, "--json")
    assert document(again)["tables"] == [table]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cells").iterdir()} == files


def test_reproduce_other_settings_write_other_files_and_the_same_replace_them(
    sslc: Run, llama: Path, small: tuple[object, ...], tmp_path: Path
) -> None:
    asked = ("reproduce", "table1", "--model", llama, *small, "--method", "wanda")
    first, again, fewer = (
        sslc(*asked, *more, "--out", tmp_path) for more in ((), (), ("--blocks", 1))
    )
    assert _named(first, "table1-*.json") == _named(again, "table1-*.json")
    assert _named(first, "table1-*.json") != _named(fewer, "table1-*.json")
    assert len(list(tmp_path.glob("table1-*.csv"))) == 2
    assert len(list(tmp_path.glob("page-*.html"))) == 2


def test_reproduce_quick_says_its_limits(
    sslc: Run, llama: Path, small: tuple[object, ...], tmp_path: Path
) -> None:
    """QUICK compresses two of the model's three blocks."""
    texts = small[len(SMALL) :]
    asked = ("--model", llama, "--quick", "--max-tokens", 512, "--method", "wanda", *texts)
    done = sslc("reproduce", "table1", *asked, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "ONLY THE FIRST 2 OF 3 BLOCKS" in done.stdout
    assert "8 windows of 256 tokens" in done.stdout
    assert "at most 512 tokens" in done.stdout
    assert "Wanda" in done.stdout
    assert "SVD-LLM" not in done.stdout


def test_reproduce_table5_quick_writes_what_a_second_run_reads(
    sslc: Run, llama: Path, small: tuple[object, ...], tmp_path: Path
) -> None:
    asked = ("reproduce", "table5", "--quick", "--model", llama, *small, "--new-tokens", 4)
    first, again = (sslc(*asked, "--out", tmp_path, "--json") for _ in range(2))
    printed = document(first)
    assert printed == document(again)
    (result,) = printed["results"]
    assert result["kind"] == "decoding"
    assert [len(one["seconds"]) for one in result["decoders"]] == [5] * 5
    assert result["timed_tokens"] == 3
    assert "ONLY THE FIRST 2 BLOCKS" in _named(first, "table5-*.txt").read_text()
    for suffix in ("md", "tex", "csv", "json"):
        assert _named(first, f"table5-*.{suffix}").stat().st_size > 100


def test_reproduce_table10_and_table1_with_a_local_task(
    sslc: Run, llama: Path, task: Task, small: tuple[object, ...], tmp_path: Path
) -> None:
    asked = ("--model", llama, *small, "--tasks", task.file, "--method", "wanda")
    done = sslc("reproduce", "table10", "table1", *asked, "--out", tmp_path, "--json")
    printed = document(done)
    alone = sslc("evaluate", llama, "--tasks", task.file, "--json")
    metrics = {m["name"]: m["value"] for m in results_of(alone)[0]["metrics"]}
    scores = [result for result in printed["results"] if result["kind"] == "cell_scores"]
    assert scores[0]["identity"]["cell"]["recipe"]["method"] == "dense"
    dense = {m["name"]: m["value"] for m in scores[0]["scores"]["which"]}
    assert dense["acc"] == metrics["acc"]
    tenth, first, *_ = (table["rows"] for table in printed["tables"])
    assert tenth[0]["which"] == pytest.approx(100 * metrics["acc"])
    assert tenth[0]["PIQA, published"] == 78.07
    assert first[0]["Zero-shot mean"] == tenth[0]["Mean of tasks"]


def test_reproduce_where_another_run_works_is_refused(
    sslc: Run, llama: Path, tmp_path: Path
) -> None:
    with one_writer(tmp_path / "out"):
        done = sslc("reproduce", "table1", "--model", llama, "--out", tmp_path / "out", *SMALL)
    assert done.returncode == 2
    assert "another run is writing there" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("did you mean table1", ["tabel1"]),
        ("without the hub give a task file", ["table10", "--model", "LLAMA"]),
        ("no such directory", ["table1", "--model", "nowhere"]),
        ("text nowhere.txt", ["table1", "--model", "LLAMA", "--text", "nowhere.txt"]),
        ("known: 3basil", ["table1", "--model", "LLAMA", "--method", "wnda"]),
        ("did you mean llama2-7b", ["table1", "--model", "LLAMA", "--published", "lama2-7b"]),
        ("--kept-fraction", ["table7", "--model", "LLAMA", "--kept-fraction", "1.5"]),
        ("--blocks must be at most 3", ["table1", "--model", "LLAMA", "--blocks", "99"]),
        ("the text has", ["table1", "--model", "LLAMA", "--max-tokens", "8"]),
    ],
)
def test_reproduce_bad_argument_is_refused(
    sslc: Run, llama: Path, tmp_path: Path, message: str, arguments: list[str]
) -> None:
    given = [llama if part == "LLAMA" else part for part in arguments]
    done = sslc("reproduce", *given, "--out", tmp_path / "out")
    assert done.returncode == 2, done.stderr
    assert message in done.stderr.splitlines()[-1]
    assert done.stdout == ""


def test_reproduce_killed_and_run_again_gives_the_same_table(
    sslc: Run, llama: Path, small: tuple[object, ...], tmp_path: Path
) -> None:
    asked = ("table7", "--model", llama, *small)
    whole = sslc("reproduce", *asked, "--out", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    out = tmp_path / "killed"
    kill_when(
        lambda: any(out.glob("cells/cell-perplexity-*.json")), "reproduce", *asked, "--out", out
    )
    finished = {path.name: path.stat().st_mtime_ns for path in out.glob("cells/*.json")}
    assert len(finished) < 8
    again = sslc("reproduce", *asked, "--out", out)
    assert again.returncode == 0, again.stderr
    assert again.stdout == whole.stdout
    later = {path.name: path.stat().st_mtime_ns for path in out.glob("cells/*.json")}
    assert finished.items() <= later.items()
    assert not list((out / "work").iterdir())
