"""``sslc recover``: what it prints, what its artifact is good for, and a real SIGKILL."""

import dataclasses
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from reports.commands.recover import recover
from sslc.recovery.settings import Training
from tests.cli.conftest import SMALL_CUT, Run, document, kill_when, results_of
from tests.tasks import write_task

SMALL = ["--steps", "3", "--window-tokens", "32", "--batch-size", "2", "--learning-rate", "1e-2"]


@pytest.fixture(scope="module")
def wanda(sslc: Run, llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wanda") / "a"
    done = sslc("compress", llama, "--out", out, "--method", "wanda", *SMALL_CUT)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def lora(sslc: Run, wanda: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("lora") / "a"
    done = sslc("recover", wanda, "--out", out, *SMALL)
    assert done.returncode == 0, done.stderr
    return out


def _result(sslc: Run, *arguments: object) -> dict[str, Any]:
    [result] = results_of(sslc(*arguments, "--json"))
    return result


def test_recover_options_have_the_defaults_of_training() -> None:
    options = {
        name: option.default for name, option in inspect.signature(recover).parameters.items()
    }
    for field in dataclasses.fields(Training):
        assert options.get(field.name, field.default) == field.default
    assert {*options} >= {field.name for field in dataclasses.fields(Training)} - {"warmup_share"}


def test_recover_prints_what_was_trained(sslc: Run, artifact: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"instruction": "Greet.", "output": "Hello"}\n{"text": "A text of words."}\n')
    options = ("--data", rows, "--steps", 2, "--batch-size", 2)
    done = sslc("recover", artifact, "--out", tmp_path / "a", *options)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    recovery, sums = manifest["recovery"], manifest["totals"]
    assert (recovery["source"], recovery["examples"], recovery["steps"]) == ("rows.jsonl", 2, 2)
    share = (sums["nonzeros"] + sums["factor_parameters"]) / sums["parameters"]
    row = done.stdout.splitlines()[4].split()
    first, last = (f"{manifest['training_loss'][key]:.4f}" for key in ("first", "last"))
    assert row[-5:] == [f"{sums['factor_parameters']:,}", *[f"{share:.2%}"] * 2, first, last]
    assert "sslc + recovery" in done.stdout
    assert re.fullmatch(r"(recover: \d/2.*\n)+wrote .*\n", done.stderr), done.stderr


def test_recovered_artifact_goes_through_every_command(
    sslc: Run, wanda: Path, lora: Path, tmp_path: Path
) -> None:
    assert (
        json.loads((wanda / "manifest.json").read_text())
        .keys()
        .isdisjoint(("recovery", "training_loss"))
    )
    done = sslc("export", lora, "--out", tmp_path / "base", "--as", "adapter")
    assert done.returncode == 0, done.stderr
    card = (tmp_path / "base" / "README.md").read_text()
    assert "compressed by wanda + LoRA" in card
    assert "embedded:calibration: 3 steps of 2 examples of at most 32 tokens" in card
    assert sslc("export", lora, "--out", tmp_path / "dense").returncode == 0
    cut = ("--window-tokens", 64, "--max-tokens", 640)
    ours, adapted, dense, before = (
        _result(sslc, "evaluate", path, *cut)
        for path in (lora, tmp_path / "base", tmp_path / "dense", wanda)
    )
    assert adapted["perplexity"] == pytest.approx(ours["perplexity"], rel=1e-5)
    assert dense["perplexity"] == pytest.approx(ours["perplexity"], rel=1e-5)
    assert ours["perplexity"] < 0.999 * before["perplexity"]
    assert ours["identity"]["subject"]["method"] == "wanda + LoRA"
    sums = json.loads((lora / "manifest.json").read_text())["totals"]
    share = (sums["nonzeros"] + sums["factor_parameters"]) / sums["parameters"]
    assert ours["identity"]["subject"]["kept_fraction"] == share > 0.53
    task = write_task(tmp_path, "which")
    scores = _result(sslc, "evaluate", lora, "--tasks", task.file, "--limit", 4)
    assert scores["identity"]["subject"] == ours["identity"]["subject"]
    assert scores["documents"] == 4
    for name, options in (("simulate", ("--accelerator", "array-64x64")), ("measure", ())):
        done = sslc(name, lora, *options)
        assert done.returncode == 0, done.stderr
    done = sslc("report", wanda, lora)
    assert done.returncode == 0, done.stderr
    assert "wanda + LoRA" in done.stdout


def test_recover_json_has_before_and_after(sslc: Run, wanda: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "a", "--json")
    found = document(sslc("recover", wanda, *out, "--rank-share", "0.1", *SMALL))["details"]
    assert found["recovery"]["trained"] == "lora"
    assert found["recovery"]["rank_share"] == 0.1
    added = found["recovery"]["trained_parameters"] / found["artifact"]["parameters"]
    assert found["artifact"]["kept_share"] - found["kept_share_before"] == pytest.approx(added) != 0
    assert found["training_loss"]["first"] > 0


@pytest.mark.parametrize(
    ("message", "options"),
    [
        ("alpaca': the hub did not give tatsu-lab/alpaca", ["--data", "alpaca"]),
        ("--data FILE.jsonl", ["--data", "alpaca"]),
        ("rows.jsonl, line 2: not JSON", ["--data", "rows.jsonl"]),
        ("embedded, wikitext2, c4", ["--data", "nowhere"]),
        ("steps must be at least 1", ["--steps", "0"]),
        ("learning_rate must be above 0", ["--learning-rate", "0"]),
        ("larger than dense", ["--rank-share", "0.9"]),
        ("not a device", ["--device", "tpu9"]),
    ],
)
def test_recover_bad_option_is_refused(
    sslc: Run,
    wanda: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    message: str,
    options: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text('{"text": "a"}\nx\n')
    done = sslc("recover", wanda, "--out", "a", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def _bytes(directory: Path) -> dict[str, bytes]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def test_recover_killed_and_resumed_is_byte_identical(
    sslc: Run, artifact: Path, tmp_path: Path
) -> None:
    flags = ["--steps", 12, "--window-tokens", 32, "--batch-size", 2]
    whole = sslc("recover", artifact, "--out", tmp_path / "whole", *flags)
    assert whole.returncode == 0, whole.stderr
    out, work = tmp_path / "a", tmp_path / "a.training"
    kill_when(
        lambda: any(work.glob("checkpoint-[2-9]/trainer_state.json")),
        "recover", artifact, "--out", out, *flags,
    )  # fmt: skip
    assert not out.exists()
    refused = sslc("recover", artifact, "--out", out, *flags)
    assert refused.returncode == 2
    assert "--resume" in refused.stderr
    refused = sslc("recover", artifact, "--out", out, *flags, "--seed", 1, "--resume")
    assert refused.returncode == 2
    assert "made with another recovery" in refused.stderr
    done = sslc("recover", artifact, "--out", out, *flags, "--resume")
    assert done.returncode == 0, done.stderr
    resumed = re.match(r"recover: (\d+)/12", done.stderr)
    assert resumed is not None
    assert int(resumed[1]) > 0, done.stderr
    assert _bytes(out) == _bytes(tmp_path / "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "whole"]
