"""``sslc evaluate``: windows, texts and tasks as options, and what they leave behind."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run, document, results_of, stored
from tests.tasks import QUESTIONS, Task, write_task


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return write_task(tmp_path_factory.mktemp("task"), "which")


def _results(sslc: Run, *arguments: object) -> list[dict[str, Any]]:
    return results_of(sslc(*arguments, "--json"))


def test_evaluate_stride_and_text_have_their_own_file(
    sslc: Run, llama: Path, tmp_path: Path
) -> None:
    text = tmp_path / "my text.txt"
    text.write_text("It was the best of times, it was the worst of times. " * 20)
    cut = ("--window-tokens", 64, "--max-tokens", 0, "--save", tmp_path)
    [plain] = _results(sslc, "evaluate", llama, *cut)
    [strided] = _results(sslc, "evaluate", llama, "--text", text, "--stride", 16, *cut)
    texts = [result["identity"]["text"] for result in (plain, strided)]
    assert [(text["source"], text["stride_tokens"]) for text in texts] == [
        ("embedded:evaluation", 64),
        ("my text.txt", 16),
    ]
    assert plain["predicted_tokens"] % 63 == 0
    assert plain["predicted_tokens"] > 63 * 256
    assert sorted(stored(tmp_path).values(), key=lambda result: result["sha256"]) == sorted(
        (plain, strided), key=lambda result: result["sha256"]
    )
    rows = document(sslc("report", tmp_path, "--json"))["tables"][0]["rows"]
    assert [(row["Text"], row["Stride"]) for row in rows] == [
        ("embedded:evaluation", 64),
        ("my text.txt", 16),
    ]


def test_evaluate_tasks_are_saved_and_reported(
    sslc: Run, llama: Path, artifact: Path, task: Task, tmp_path: Path
) -> None:
    other = write_task(tmp_path, "other")
    tasks = ("--tasks", f"{task.file},{other.file}", "--limit", 6)
    copy = tmp_path / "artifact"
    shutil.copytree(artifact, copy, ignore=shutil.ignore_patterns("results"))
    ours = _results(sslc, "evaluate", copy, *tasks)
    dense = _results(sslc, "evaluate", llama, *tasks, "--save", copy)
    files = stored(copy)
    assert len(files) == 4
    for found, prefix in ((ours, "zero-shot-"), (dense, "zero-shot-dense-")):
        assert [result["identity"]["task"] for result in found] == ["which", "other"]
        for result in found:
            assert (result["documents"], result["of_documents"]) == (6, QUESTIONS)
            assert result["identity"]["limit"] == 6
            name = f"{prefix}{result['identity']['task']}-{result['sha256'][:8]}.json"
            assert files[name] == result
    tables = document(sslc("report", copy, "--json"))["tables"]
    [table] = [table for table in tables if table["name"] == "zero_shot"]
    for method in ("sslc", "dense"):
        rows = [row for row in table["rows"] if row["Method"] == method]
        assert [(row["Task"], row["Metric"]) for row in rows] == [
            ("other", "acc"),
            ("other", "acc_norm"),
            ("which", "acc"),
            ("which", "acc_norm"),
            ("mean of 2 tasks", "acc"),
        ]
        assert rows[-1]["Value"] == pytest.approx((rows[0]["Value"] + rows[2]["Value"]) / 2)


def test_evaluate_adapter_export_is_base_and_adapter(
    sslc: Run, artifact: Path, tmp_path: Path
) -> None:
    done = sslc("export", artifact, "--out", tmp_path / "base", "--as", "adapter")
    assert done.returncode == 0, done.stderr
    cut = ("--window-tokens", 64, "--max-tokens", 640)
    ours, adapted = (
        _results(sslc, "evaluate", path, *cut)[0] for path in (artifact, tmp_path / "base")
    )
    assert adapted["perplexity"] == pytest.approx(ours["perplexity"], rel=1e-5)
    assert adapted["identity"]["subject"]["method"] == "base + adapter"


@pytest.mark.parametrize(
    ("message", "options"),
    [
        ("stride must be 1 to", ["--stride", "0"]),
        ("--text belongs to perplexity", ["--tasks", "TASK", "--text", "c4"]),
        ("--stride belongs to perplexity", ["--tasks", "TASK", "--stride", "8"]),
        ("--limit belongs to --tasks", ["--limit", "8"]),
        ("--shots belongs to --tasks", ["--shots", "0"]),
        ("did you mean BF16", ["--tasks", "TASK", "--dtype", "BF61"]),
        ("no such file", ["--tasks", "nowhere.yaml"]),
        ("embedded, wikitext2, c4", ["--text", "wikitext"]),
    ],
)
def test_evaluate_bad_option_is_refused(
    sslc: Run, llama: Path, task: Task, message: str, options: list[str]
) -> None:
    done = sslc("evaluate", llama, *(task.file if each == "TASK" else each for each in options))
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert done.stdout == ""
