"""``sslc simulate --whole`` as a user types it."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run, results_of, stored


def test_simulate_whole_says_what_users_feel_and_saves_it(
    sslc: Run, artifact: Path, tmp_path: Path
) -> None:
    run = ("simulate", artifact, "--whole", "--prompt", 8, "--output", 3, "--batch", 2,
           "--blocks", 1, "--cycle-model", "roofline", "--save", tmp_path)  # fmt: skip
    [result] = results_of(sslc(*run, "--json"))
    assert result["identity"]["requests"] == {"prompt": 8, "output": 3, "batch": 2}
    first, later = (
        sum(part["dense"]["cycles"] for part in result["parts"] if part["phase"] == phase)
        for phase in ("prefill", "decode")
    )
    clock = result["identity"]["machine"]["fields"]["clock_hz"]
    assert result["dense"]["first_token_seconds"] == pytest.approx(first / clock)
    assert result["dense"]["token_seconds"] == pytest.approx(later / clock / 2)
    assert [value["sha256"] for value in stored(tmp_path).values()] == [result["sha256"]]
    assert len(list(tmp_path.glob("results/*.png"))) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--prompt", 8), "--prompt belongs to --whole"),
        (("--whole", "--context", 64), "--context does not go with --whole"),
        (("--whole", "--cycle-model", "published"), "products only"),
    ],
)
def test_simulate_whole_options_that_do_not_go_together_are_refused(
    sslc: Run, artifact: Path, options: tuple[object, ...], message: str
) -> None:
    done = sslc("simulate", artifact, *options)
    assert done.returncode == 2
    assert message in done.stderr


def test_simulate_what_if_prints_and_saves_the_gains(
    sslc: Run, artifact: Path, tmp_path: Path
) -> None:
    run = ("simulate", artifact, "--what-if", "--blocks", 1, "--cycle-model", "roofline")
    [result] = results_of(sslc(*run, "--save", tmp_path, "--json"))
    assert result["kind"] == "what_if"
    held = {
        (gain["change"]["resource"], gain["change"]["step"]): gain["held"]["dense"]
        for gain in result["gains"]
    }
    assert held["DRAM bandwidth", "doubled"] < result["base"]["dense"]
    assert [value["sha256"] for value in stored(tmp_path).values()] == [result["sha256"]]
    assert len(list(tmp_path.glob("results/*.svg"))) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--export", "llmservingsin"), "unknown format of --export"),
        (("--whole", "--export", "llmservingsim"), "--whole does not go with --export"),
        (("--prompt", 8, "--export", "llmservingsim"), "prompt does not go with --export"),
    ],
)
def test_simulate_export_options_that_cannot_be_are_refused(
    sslc: Run, artifact: Path, tmp_path: Path, options: tuple[object, ...], message: str
) -> None:
    done = sslc("simulate", artifact, *options, tmp_path / "out")
    assert done.returncode == 2
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_simulate_export_writes_both_runs_and_names_them(
    sslc: Run, artifact: Path, tmp_path: Path
) -> None:
    run = ("simulate", artifact, "--blocks", 1, "--cycle-model", "roofline", "--set", "lines=32")
    done = sslc(*run, "--export", "llmservingsim", tmp_path)
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (tmp_path / "perf").iterdir())
    assert names == [f"array-64x64-+-lines=32-{run}" for run in ("compressed", "dense")]
    assert done.stderr.count("attention.csv") == 2
