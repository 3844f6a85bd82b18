"""The face of the package: lazy, and the same work whoever asks for it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import sslc
from sslc.compression.block_loop import compress_checkpoint
from sslc.methods.registry import load_method
from tests.sslc.making import CUT, SONNETS, tree_bytes
from workloads.results.subject import subject_of
from workloads.support.errors import InputError

FEW: dict[str, Any] = {"calibration": str(SONNETS), "windows": 2, "window_tokens": 32}


def test_import_of_the_package_brings_no_torch() -> None:
    program = (
        "import sys, sslc; sslc.__version__, sslc.InputError, sslc.Artifact;"
        "print([m for m in ('torch', 'transformers', 'numba') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_every_name_of_the_face_is_there_and_no_other() -> None:
    assert dir(sslc) == sorted(sslc.__all__)
    assert all(getattr(sslc, name) for name in sslc.__all__)
    with pytest.raises(AttributeError, match="no attribute 'squeeze'"):
        sslc.squeeze  # noqa: B018


def test_python_m_runs_the_command_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sslc", "list", "methods"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "sslc-h" in done.stdout


def test_compress_by_names_equals_compress_by_objects(llama: Path, tmp_path: Path) -> None:
    """Plain values, patterns as one text, overrides as a mapping or a file: one artifact."""
    overrides = tmp_path / "overrides.toml"
    overrides.write_text('["*.down_proj"]\nkept_fraction = 0.7\n')
    common: dict[str, Any] = {
        "settings": {"iterations": 2},
        "rank_share": 0.05,
        "exclude": "o_proj",
        **FEW,
    }
    by_file = sslc.compress(llama, tmp_path / "a", overrides=overrides, **common)
    tables = {"*.down_proj": {"kept_fraction": 0.7}}
    by_table = sslc.compress(str(llama), str(tmp_path / "b"), overrides=tables, **common)
    assert tree_bytes(by_file.path) == tree_bytes(by_table.path)
    assert by_file.settings.choice["exclude"] == ["o_proj"]
    ranks = {r.name.rpartition(".")[2]: r.rank for r in by_file.blocks[0].projections}
    assert ranks["o_proj"] == 0 < ranks["q_proj"]


def test_compress_defaults_are_those_of_the_method(llama: Path, tmp_path: Path) -> None:
    from sslc.compression.output import Output
    from sslc.model.opening import open_checkpoint

    asked = sslc.compress(llama, tmp_path / "a", method="wanda", **FEW)
    method = load_method("wanda", {})
    checkpoint, output = open_checkpoint(str(llama)), Output(tmp_path / "b")
    compress_checkpoint(checkpoint, method, calibration=CUT, output=output)
    assert tree_bytes(asked.path) == tree_bytes(tmp_path / "b")


def test_evaluate_of_path_and_of_artifact_are_one_result(small_artifact: sslc.Artifact) -> None:
    window: dict[str, Any] = {"window_tokens": 32, "max_tokens": 128}
    first = sslc.evaluate(str(small_artifact.path), **window)
    second = sslc.evaluate(small_artifact, **window)
    assert first.identity == second.identity
    assert first.perplexity == second.perplexity
    assert first.predicted_tokens == 4 * 31
    assert first.identity.subject == subject_of(small_artifact)
    text = first.identity.text
    assert (text.source, text.window_tokens, text.stride_tokens, text.max_tokens) == (
        "embedded:evaluation", 32, 32, 128,
    )  # fmt: skip


def test_evaluate_dense_model_is_identified_by_its_weights(llama: Path, qwen: Path) -> None:
    window: dict[str, Any] = {"window_tokens": 32, "max_tokens": 64}
    subjects = [sslc.evaluate(path, **window).identity.subject for path in (llama, qwen)]
    assert [(s.method, s.masks, s.kept_fraction) for s in subjects] == [("dense", "none", 1.0)] * 2
    assert subjects[0].sha256 != subjects[1].sha256


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 3}, "belong to tasks"),
        ({"tasks": ["piqa"], "stride": 8}, "belong to perplexity"),
        ({"device": "tpu"}, "tpu"),
    ],
)
def test_evaluate_what_would_be_passed_over_is_refused(
    llama: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        sslc.evaluate(llama, **options)


def test_load_and_export_dense_compute_the_same(
    small_artifact: sslc.Artifact, tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM

    out = sslc.export(small_artifact, tmp_path / "dense")
    tokens = torch.arange(20)[None]
    with torch.no_grad():
        own = sslc.load(small_artifact.path)(tokens).logits
        exported = AutoModelForCausalLM.from_pretrained(out)(tokens).logits
    assert torch.allclose(own, exported, atol=1e-4)


def test_load_and_export_unknown_names_are_refused(
    small_artifact: sslc.Artifact, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="unknown dtype 'F8'"):
        sslc.load(small_artifact, dtype="F8")
    with pytest.raises(InputError, match="unknown layout 'onnx'"):
        sslc.export(small_artifact, tmp_path / "a", layout="onnx")  # type: ignore[arg-type]


def test_recover_gives_an_artifact_with_its_training(
    small_artifact: sslc.Artifact, tmp_path: Path
) -> None:
    after = sslc.recover(small_artifact.path, tmp_path / "r", steps=1, window_tokens=32)
    assert after.settings.recovery["steps"] == 1
    assert subject_of(after).settings["recovery"]["trained"] == "factors"
    assert subject_of(after).sha256 != subject_of(small_artifact).sha256
