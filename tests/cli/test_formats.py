"""One document per command: JSON and CSV that public parsers read, with every cell."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Run, document

Arguments = tuple[object, ...]
COMMANDS: dict[str, Callable[[Path], Arguments]] = {
    "simulate": lambda a: ("simulate", a, "--blocks", 1),
    "evaluate": lambda a: ("evaluate", a, "--window-tokens", 32, "--max-tokens", 128),
    "measure": lambda a: ("measure", a, "--seconds", 0.001, "--tokens", 1),
    "attention": lambda _: ("attention", "deit-tiny", "--cycle-model", "roofline"),
    "list": lambda _: ("list", "accelerators"),
    "dry-run": lambda a: ("compress", a.parent / "model", "--dry-run"),
    "report": lambda a: ("report", a),
}


@pytest.fixture(scope="module")
def both(sslc: Run, artifact: Path, llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact with results of two kinds, and its model beside it."""
    folder = tmp_path_factory.mktemp("formats")
    (folder / "artifact").symlink_to(artifact)
    (folder / "model").symlink_to(llama)
    for name in ("simulate", "evaluate"):
        assert sslc(*COMMANDS[name](folder / "artifact")).returncode == 0
    return folder / "artifact"


@pytest.mark.parametrize("name", COMMANDS)
def test_command_json_is_one_document_and_csv_has_the_same_cells(
    sslc: Run, both: Path, name: str
) -> None:
    run = COMMANDS[name](both)
    value = document(sslc(*run, "--json"))
    tables = value["tables"]
    assert tables
    done = sslc(*run, "--format", "csv")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    expected = [(table["title"], row) for table in tables for row in table["rows"]]
    assert len(rows) == len(expected)
    measured = name in ("measure", "dry-run")  # other numbers in each run
    for row, (title, cells) in zip(rows, expected, strict=True):
        assert row.get("Table", title) == title
        written = {key: "" if cell is None else str(cell) for key, cell in cells.items()}
        assert cells.keys() <= row.keys() if measured else written.items() <= row.items()


def test_format_json_and_json_are_one_dialect(sslc: Run, both: Path) -> None:
    run = ("report", both)
    assert sslc(*run, "--json").stdout == sslc(*run, "--format", "json").stdout
    value = json.loads(sslc(*run, "--json").stdout)
    assert {result["kind"] for result in value["results"]} >= {"cycles", "perplexity"}


def test_format_unknown_is_refused_before_anything_runs(sslc: Run, both: Path) -> None:
    done = sslc("evaluate", both, "--text", "nowhere.txt", "--format", "html")
    assert done.returncode == 2
    assert "unknown table format 'html'" in done.stderr


def test_format_help_says_what_csv_of_several_tables_is(sslc: Run) -> None:
    done = sslc("report", "--help")
    assert "each row's title in the column Table" in " ".join(done.stdout.split())
