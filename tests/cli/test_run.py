"""``sslc run``: a study checked before it begins, skipped where finished, resumed when killed."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from reports.tables.catalogue import toml_of
from tests.cli.conftest import Run, document, kill_when

STUDY = """
out = "out"

[stages.small]
run = "compress"
model = {model!r}
method = "sslc"
windows = 2
window-tokens = 32
[stages.small.set]
iterations = 2

[stages.words]
run = "evaluate"
model = "{{small}}"
window-tokens = 32
max-tokens = 128

[stages.cycles]
run = "simulate"
dir = "{{small}}"
accelerator = "mine.toml"
cycle-model = "roofline"
[stages.cycles.set]
dram.efficiency = 0.5

[stages.page]
run = "report"
dir = ["{{words}}", "{{cycles}}"]
"""


@pytest.fixture
def study(llama: Path, tmp_path: Path) -> Path:
    (tmp_path / "study.toml").write_text(STUDY.format(model=str(llama)))
    (tmp_path / "mine.toml").write_text(toml_of("accelerators", "vitcod"))
    return tmp_path / "study.toml"


def states(sslc: Run, study: Path, *more: str) -> dict[str, str]:
    """What became of each stage, and why."""
    stages = document(sslc("run", study, "--json", *more))["details"]["stages"]
    return {each["stage"]: each["why"] or each["state"] for each in stages}


def numbers(out: Path) -> dict[str, Any]:
    """Every result by its file, without where it came from."""
    paths = sorted(out.glob("*/results/*.json"))
    results = {path.relative_to(out).as_posix(): json.loads(path.read_text()) for path in paths}
    for value in results.values():
        del value["provenance"]
    return results


def test_run_makes_every_stage_and_again_none(sslc: Run, study: Path) -> None:
    before = states(sslc, study, "--dry-run")
    assert before == {
        "small": "new", "words": "after small", "cycles": "after small", "page": "after words"
    }  # fmt: skip
    assert not (study.parent / "out").exists()
    assert set(states(sslc, study).values()) == {"new"}
    out = study.parent / "out"
    assert (out / "small" / "manifest.json").is_file()
    assert (out / "page" / "index.html").is_file()
    (cycles,) = (out / "cycles" / "results").iterdir()
    fields = json.loads(cycles.read_text())["identity"]["machine"]["fields"]
    assert fields["dram"]["efficiency"] == 0.5
    said = json.loads((out / "documents" / "words.json").read_text())
    assert said["results"][0]["kind"] == "perplexity"
    stamps = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    assert set(states(sslc, study).values()) == {"finished before"}
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == stamps


def test_run_does_anew_what_an_input_or_a_setting_changes_and_what_follows_it(
    sslc: Run, study: Path
) -> None:
    assert sslc("run", study).returncode == 0
    machine = study.parent / "mine.toml"
    machine.write_text(machine.read_text().replace("channels = 3", "channels = 1"))
    changed = "its settings or inputs changed"
    assert states(sslc, study, "--dry-run") == {
        "small": "finished before", "words": "finished before", "cycles": changed,
        "page": "after cycles",
    }  # fmt: skip
    assert states(sslc, study)["cycles"] == changed
    study.write_text(study.read_text().replace("iterations = 2", "iterations = 3"))
    made = states(sslc, study)
    assert (made["small"], made["words"], made["page"]) == (changed, changed, changed)
    assert set(states(sslc, study).values()) == {"finished before"}
    (study.parent / "out" / "words" / "results").rename(study.parent / "gone")
    assert states(sslc, study)["words"] == "what it left was changed"


def test_run_killed_goes_on_and_gives_the_same(
    sslc: Run, study: Path, deep: Path, tmp_path: Path
) -> None:
    text = STUDY.format(model=str(deep))
    study.write_text(text)
    out = study.parent / "out"
    kill_when(lambda: any((out / "small.partial").glob("blocks/*")), "run", study)
    assert not (out / "small").exists()
    assert states(sslc, study)["small"] == "it was interrupted"
    again = tmp_path / "again"
    again.mkdir()
    shutil.copy(study.parent / "mine.toml", again)
    (again / "study.toml").write_text(text)
    assert sslc("run", again / "study.toml").returncode == 0
    assert numbers(out) == numbers(again / "out")
    for file in sorted((out / "small").rglob("*")):
        if file.is_file():
            assert file.read_bytes() == (again / "out" / file.relative_to(out)).read_bytes()


@pytest.mark.parametrize(
    ("message", "old", "new"),
    [
        ("did you mean evaluate", 'run = "evaluate"', 'run = "evaluat"'),
        ("unknown key 'max-token'", "max-tokens = 128", "max-token = 128"),
        ("unknown key 'save'", "max-tokens = 128", 'save = "there"'),
        ("'--max-tokens'", "max-tokens = 128", "max-tokens = -1"),
        ("unknown stage before it 'page'", '"{small}"\nwindow', '"{page}"\nwindow'),
        ("did you mean words", '"{words}"', '"{word}"'),
        ("study.toml:19: [stages.cycles]", "mine.toml", "yours.toml"),
        ("unknown cycle model", '"roofline"', '"rooflin"'),
        ("unknown method", 'method = "sslc"', 'method = "sslcc"'),
        ("setting of method sslc", "iterations = 2", "iteration = 2"),
        ("unknown key 'efficency'", "dram.efficiency", "dram.efficency"),
        ("out must be a folder", 'out = "out"', "out = 3"),
        ("unknown key 'stage'", "[stages.page]", "[stage.page]"),
        ("must say what it runs", 'run = "report"', "ran = 1"),
        ("lower-case", "[stages.page]", "[stages.'../page']"),
    ],
)
def test_run_checks_the_whole_file_before_the_first_stage(
    sslc: Run, study: Path, message: str, old: str, new: str
) -> None:
    text = study.read_text()
    assert old in text
    study.write_text(text.replace(old, new))
    done = sslc("run", study)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (study.parent / "out").exists()


def test_run_leaves_alone_what_is_not_a_studys(sslc: Run, study: Path) -> None:
    mine = study.parent / "out" / "small"
    mine.mkdir(parents=True)
    (mine / "letter.txt").write_text("mine")
    done = sslc("run", study)
    assert done.returncode == 2
    assert "rename it" in done.stderr
    assert (mine / "letter.txt").read_text() == "mine"


def test_shipped_study_runs_on_a_small_model(sslc: Run, llama: Path, tmp_path: Path) -> None:
    text = toml_of("studies", "tiny").replace('"smollm2-135m"', repr(str(llama)))
    small = "windows = 2\nwindow-tokens = 32\n"
    text = text.replace("max-tokens = 4096", "max-tokens = 128\nwindow-tokens = 32")
    text = text.replace('method = "wanda"\n', f'method = "wanda"\n{small}')
    text = text.replace('method = "sslc"\n', f'method = "sslc"\n{small}')
    (tmp_path / "study.toml").write_text(text)
    done = sslc("run", tmp_path / "study.toml")
    assert done.returncode == 0, done.stderr
    page = tmp_path / "runs" / "study" / "report" / "index.html"
    assert page.is_file()
    assert "vitcod" in page.read_text()
