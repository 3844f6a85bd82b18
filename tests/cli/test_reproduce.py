"""``sslc reproduce`` as a user types it: outputs, refusals, and a kill in the middle."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run, document, kill_when, results_of
from tests.tasks import Task, write_task

SMALL = ("--windows", 2, "--window-tokens", 32, "--max-tokens", 128)


@pytest.fixture(scope="module")
def small(short_texts: tuple[Path, Path]) -> tuple[object, ...]:
    """Options for a quick run."""
    return (*SMALL, "--calibration", short_texts[0], "--text", short_texts[1])


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return write_task(tmp_path_factory.mktemp("task"))


def test_reproduce_two_tables_and_a_figure_write_every_format(
    sslc: Run, llama: Path, small: tuple[object, ...], tmp_path: Path
) -> None:
    asked = ("table7", "figure6", "table7", "--model", llama, *small, "--blocks", 1)
    done = sslc("reproduce", *asked, "--out", tmp_path, "--json")
    results = document(done)["details"]
    assert list(results) == ["table7", "figure6"]
    for name in results:
        kept = json.loads((tmp_path / f"{name}-results.json").read_text())
        assert kept == results[name]
        for suffix in ("txt", "md", "tex", "csv", "json"):
            assert (tmp_path / f"{name}.{suffix}").stat().st_size > 100
    assert (tmp_path / "figure6.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "index.html").read_text()
    assert page.count("<svg") == 1
    assert page.count("<h2>") == 2
    assert "http-equiv" not in page
    assert "ONLY THE FIRST 1 OF 3 BLOCKS" in page


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


def test_reproduce_table10_and_table1_with_a_local_task(
    sslc: Run, llama: Path, task: Task, small: tuple[object, ...], tmp_path: Path
) -> None:
    asked = ("--model", llama, *small, "--tasks", task.file, "--method", "wanda")
    done = sslc("reproduce", "table10", "table1", *asked, "--out", tmp_path, "--json")
    results = document(done)["details"]
    alone = sslc("evaluate", llama, "--tasks", task.file, "--json")
    metrics = {m["name"]: m["value"] for m in results_of(alone)[0]["metrics"]}
    assert results["table10"]["dense"]["which"]["acc"] == metrics["acc"]
    rows = json.loads((tmp_path / "table10.json").read_text())["rows"]
    assert rows[0]["which"] == pytest.approx(100 * metrics["acc"])
    assert rows[0]["PIQA, published"] == 78.07
    first = json.loads((tmp_path / "table1.json").read_text())["rows"]
    assert first[0]["Zero-shot mean"] == rows[0]["mean"]


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("did you mean table1", ["tabel1"]),
        ("without the hub give a task file", ["table10", "--model", "LLAMA"]),
        ("no such directory", ["table1", "--model", "nowhere"]),
        ("text nowhere.txt", ["table1", "--model", "LLAMA", "--text", "nowhere.txt"]),
        ("known: alps", ["table1", "--model", "LLAMA", "--method", "wnda"]),
        ("did you mean llama2-7b", ["table1", "--model", "LLAMA", "--published", "lama2-7b"]),
        ("kept_fraction", ["table7", "--model", "LLAMA", "--kept-fraction", "1.5"]),
        ("the text has", ["table1", "--model", "LLAMA", "--max-tokens", "8"]),
    ],
)
def test_reproduce_bad_argument_is_refused(
    sslc: Run, llama: Path, tmp_path: Path, message: str, arguments: list[str]
) -> None:
    given = [llama if each == "LLAMA" else each for each in arguments]
    done = sslc("reproduce", *given, "--out", tmp_path / "out")
    assert done.returncode == 2, done.stderr
    assert message in done.stderr.splitlines()[-1]
    assert done.stdout == ""


def test_reproduce_killed_and_run_again_gives_the_same_table(
    sslc: Run, sslc_process: Run, llama: Path, small: tuple[object, ...], tmp_path: Path
) -> None:
    asked = ("table7", "--model", llama, *small)
    whole = sslc("reproduce", *asked, "--out", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    out = tmp_path / "killed"
    kill_when(lambda: any(out.glob("cells/perplexity-*.json")), "reproduce", *asked, "--out", out)
    finished = {path.name: path.stat().st_mtime_ns for path in out.glob("cells/*.json")}
    assert len(finished) < 8
    again = sslc_process("reproduce", *asked, "--out", out)
    assert again.returncode == 0, again.stderr
    assert again.stdout == whole.stdout
    later = {path.name: path.stat().st_mtime_ns for path in out.glob("cells/*.json")}
    assert finished.items() <= later.items()
    assert not list((out / "work").iterdir())
