"""Bad input of each kind: exit code 2, one sentence on standard error, nothing touched."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Run


def _refused(sslc: Run, message: str, *arguments: object) -> None:
    done = sslc(*arguments)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert message in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("no such directory", ["compress", "nowhere", "--out", "OUT"]),
        ("did you mean wanda", ["compress", "LLAMA", "--out", "OUT", "--method", "wnda"]),
        ("give one of BF16", ["compress", "LLAMA", "--out", "OUT", "--dtype", "int8"]),
        ("unknown key 'iters'", ["compress", "LLAMA", "--out", "OUT", "--set", "iters=3"]),
        ("key=value", ["compress", "LLAMA", "--out", "OUT", "--set", "iterations"]),
        ("must lie in [0, 1]", ["compress", "LLAMA", "--out", "OUT", "--kept-fraction", "50"]),
        ("nothere.txt", ["compress", "LLAMA", "--out", "OUT", "--calibration", "nothere.txt"]),
        ("--out", ["compress", "LLAMA"]),
        ("at least 1 window", ["compress", "LLAMA", "--out", "OUT", "--windows", "0"]),
        ("device 'tpu'", ["compress", "LLAMA", "--out", "OUT", "--device", "tpu"]),
        ("no CUDA device", ["compress", "LLAMA", "--out", "OUT", "--device", "cuda"]),
        ("--include: pattern 'qproj'", ["compress", "LLAMA", "--out", "OUT", "--include", "qproj"]),
        ("layers.0.self_attn.q_proj", ["compress", "LLAMA", "--dry-run", "--exclude", "layer.0"]),
        ("no projection to compress", ["compress", "LLAMA", "--out", "OUT", "--exclude", "*"]),
        ("no.toml", ["compress", "LLAMA", "--out", "OUT", "--overrides", "no.toml"]),
        ("even with one worker", ["compress", "LLAMA", "--out", "OUT", "--max-memory", "90MB"]),
        ("even with one worker", ["compress", "LLAMA", "--dry-run", "--max-memory", "90 MB"]),
        ("not a memory size", ["compress", "LLAMA", "--out", "OUT", "--max-memory", "4Gb"]),
        ("block 0, self_attn.q_proj", ["compress", "LLAMA", "--dry-run", "--set", "rank=64"]),
        ("more text or shorter", ["evaluate", "LLAMA", "--window-tokens", "99999999"]),
        ("not an artifact", ["simulate", "OUT"]),
        ("either DIR", ["simulate"]),
        ("either DIR", ["simulate", "ARTIFACT", "--mask", "m.npy"]),
        ("m.npy", ["simulate", "--mask", "m.npy"]),
        ("belong to --mask", ["simulate", "ARTIFACT", "--rank", "4"]),
        ("belongs to DIR", ["simulate", "--mask", "m.npy", "--blocks", "1"]),
        ("not an artifact", ["measure", "nowhere"]),
        ("did you mean vitcod", ["simulate", "ARTIFACT", "--accelerator", "vitcd"]),
        ("my.toml", ["simulate", "ARTIFACT", "--accelerator", "my.toml"]),
        ("did you mean event", ["simulate", "ARTIFACT", "--cycle-model", "evnt"]),
        ("dram", ["simulate", "ARTIFACT", "--set", "dram.speed=1"]),
        ("Invalid value for '--tokens'", ["simulate", "ARTIFACT", "--tokens", "0"]),
        (
            "--rank-share 0.01 or less",
            [
                "compress",
                "LLAMA",
                "--out",
                "OUT",
                "--calibration",
                "nothere.txt",
                "--kept-fraction",
                "0.01",
            ],
        ),
        (
            "--kept-fraction 0.625 or more",
            ["compress", "LLAMA", "--out", "OUT", "--set", "rank=20", "--method", "sslc"],
        ),
        (
            "--rank-share 0.02 or less",
            ["compress", "LLAMA", "--dry-run", "--kept-fraction", "0.02", "--method", "rpca"],
        ),
        (
            "takes up to 268435456 tokens",
            ["compress", "LLAMA", "--out", "OUT", "--windows", "999999999"],
        ),
        ("blocks must be at most 3, got 99", ["simulate", "ARTIFACT", "--blocks", "99"]),
        ("blocks must be at most 3, got 4", ["simulate", "LLAMA", "--blocks", "4"]),
        ("blocks must be at most 3, got 4", ["simulate", "ARTIFACT", "--whole", "--blocks", "4"]),
        ("tokens must be at most 1048576", ["simulate", "ARTIFACT", "--tokens", "1000000000"]),
        ("context must be at most 1048576", ["simulate", "ARTIFACT", "--context", "2097152"]),
        ("prompt must be at most", ["simulate", "ARTIFACT", "--whole", "--prompt", "1000000000"]),
        (
            "prompt times batch must",
            ["simulate", "ARTIFACT", "--whole", "--prompt", "999999", "--batch", "999999"],
        ),
        (
            "unknown technology 'dr4': did you mean ddr4",
            ["simulate", "ARTIFACT", "--set", "dram.technology=dr4"],
        ),
        (
            "unknown technology 'dr4': did you mean ddr4",
            [
                "simulate",
                "ARTIFACT",
                "--whole",
                "--set",
                "dram.technology=dr4",
                "--cycle-model",
                "roofline",
            ],
        ),
        ("blocks 0 to 2", ["measure", "ARTIFACT", "--block", "3"]),
        ("no results yet", ["report", "LLAMA"]),
        ("unknown table format", ["list", "models", "--format", "html"]),
        ("known: accelerators", ["list", "things"]),
        ("known: all, bits, calibration", ["reproduce", "table11"]),
        ("exists already", ["export", "ARTIFACT", "--out", "LLAMA"]),
        ("compressed already", ["compress", "ARTIFACT", "--out", "OUT"]),
        ("at least 2 tokens", ["evaluate", "LLAMA", "--window-tokens", "-3"]),
        ("belongs to --tasks", ["evaluate", "LLAMA", "--dtype", "int8"]),
        ("belongs to --tasks", ["evaluate", "LLAMA", "--batch-size", "4"]),
        ("less than or equal to 1024", ["measure", "ARTIFACT", "--threads", "100000"]),
        ("belongs to --calibrate", ["measure", "ARTIFACT", "--out", "OUT"]),
        ("'--save'", ["simulate", "ARTIFACT", "--save", __file__]),
        ("'--out'", ["report", "ARTIFACT", "--out", __file__]),
        ("is a file", ["simulate", "ARTIFACT", "--export", "llmservingsim", __file__]),
        ("did you mean wanda", ["reproduce", "table1", "--model", "LLAMA", "--method", "wnda"]),
        ("did you mean adapter", ["export", "ARTIFACT", "--out", "OUT", "--as", "adaptor"]),
        ("exists already", ["compress", "LLAMA", "--out", "ARTIFACT"]),
    ],
)
def test_command_bad_argument_is_refused(
    sslc: Run, llama: Path, artifact: Path, tmp_path: Path, message: str, arguments: list[str]
) -> None:
    places = {"LLAMA": llama, "ARTIFACT": artifact, "OUT": tmp_path / "out"}
    _refused(sslc, message, *(places.get(argument, argument) for argument in arguments))
    assert not (tmp_path / "out").exists()


def test_installed_command_bad_input_is_one_sentence(sslc_process: Run, tmp_path: Path) -> None:
    done = sslc_process("simulate", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("sslc: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.fixture
def damaged(artifact: Path, tmp_path: Path) -> Path:
    shutil.copytree(artifact, tmp_path / "damaged")
    return tmp_path / "damaged"


@pytest.mark.parametrize("stage", ["simulate", "evaluate", "measure"])
def test_stage_truncated_artifact_is_refused(sslc: Run, damaged: Path, stage: str) -> None:
    file = damaged / "blocks" / "001.safetensors"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    _refused(sslc, "001.safetensors", stage, damaged)


def test_report_garbled_result_is_refused(sslc: Run, damaged: Path) -> None:
    results = damaged / "results"
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir()
    assert sslc("simulate", damaged, "--cycle-model", "published").returncode == 0
    [path] = results.iterdir()
    whole = json.loads(path.read_text())
    for change, message in (
        ({"blocks": None}, "blocks: must be a list"),
        ({"identity": {}}, "identity: field 'subject' is missing"),
        ({"kind": "cycle"}, "kind must be one of perplexity"),
        ({"sha256": "0" * 64}, "sha256 is not that of its identity"),
        ({"version": 1}, "run `sslc simulate` to make it anew"),
    ):
        path.write_text(json.dumps(whole | change))
        _refused(sslc, message, "report", damaged)
    path.write_text("[1")
    _refused(sslc, path.name, "report", damaged)


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        ("perplexity", "sslc evaluate"),
        ("zero_shot", "sslc evaluate --tasks"),
        ("cycles", "sslc simulate"),
        ("runtime", "sslc measure"),
    ],
)
def test_report_result_of_the_old_form_says_what_makes_it_anew(
    sslc: Run, tmp_path: Path, kind: str, command: str
) -> None:
    (tmp_path / "results").mkdir()
    subject = {"model": "m", "method": "x", "kept_fraction": 0.5, "masks": "real"}
    old = {"kind": kind, "subject": subject, "provenance": "measured"}
    (tmp_path / "results" / "old.json").write_text(json.dumps(old))
    _refused(sslc, f"run `{command}` to make it anew", "report", tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        "compress x --out y", "recover x --out y", "evaluate x", "simulate x", "attention x",
        "sweep x --out y", "measure x", "report x", "reproduce table1", "list models", "demo",
    ],
)  # fmt: skip
def test_unknown_format_is_refused_before_anything_is_opened(sslc: Run, command: str) -> None:
    _refused(sslc, "unknown table format 'html'", *command.split(), "--format", "html")


def test_windows_beyond_the_models_positions_are_remarked(sslc: Run, llama: Path) -> None:
    done = sslc("evaluate", llama, "--window-tokens", 300, "--max-tokens", 600)
    assert done.returncode == 0, done.stderr
    assert "windows of 300 tokens go beyond its max_position_embeddings 256" in done.stderr
    fitting = sslc("evaluate", llama, "--window-tokens", 256, "--max-tokens", 600)
    assert "max_position_embeddings" not in fitting.stderr


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (("compress", "M", "--kept-fraction", "60%"), "write 0.6 for 60%"),
        (("compress", "M", "--rank-share", "12.5%"), "write 0.125 for 12.5%"),
        (("recover", "A", "--out", "B", "--rank-share", "5%"), "write 0.05 for 5%"),
        (("measure", "--shape", "llama2-7b", "--kept", "50%"), "write 0.5 for 50%"),
        (("reproduce", "table1", "--kept-fraction", "70"), "write 0.7 for 70%"),
    ],
)
def test_share_written_as_a_percentage_hints_at_the_number(
    sslc: Run, command: tuple[str, ...], text: str
) -> None:
    done = sslc(*command)
    assert done.returncode == 2
    assert text in " ".join(done.stderr.split())
