"""Exports as the public libraries alone load them, and what their model cards say."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM

import sslc
from sslc.calibration.windows import Calibration
from sslc.compression.block_loop import compress_checkpoint
from sslc.compression.output import Output
from sslc.compression.plan import Choice, Override
from sslc.exporting.adapter_export import export_adapter
from sslc.exporting.dense import export_dense
from sslc.methods.registry import load_method
from sslc.model.loading import SparseLowRankLinear
from sslc.model.opening import open_checkpoint
from tests.sslc.making import SONNETS
from tests.workloads.results.results import perplexity
from workloads.artifact.read import Artifact
from workloads.artifact.record import totals
from workloads.results.envelope import file_name, result_to_json
from workloads.results.kinds import TextIdentity
from workloads.results.subject import subject_of
from workloads.support.errors import InputError
from workloads.support.files import write_json

CUT = Calibration(str(SONNETS), windows=2, window_tokens=32)
LOAD = """
import sys, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
def logits(model): return model(torch.arange(12)[None]).logits.detach()
def load(folder): return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
assert all(AutoTokenizer.from_pretrained(folder)("text")["input_ids"] for folder in sys.argv[1:3])
found = {"dense": logits(load(sys.argv[1])), "base": logits(load(sys.argv[2]))}
adapted = PeftModel.from_pretrained(load(sys.argv[2]), sys.argv[2] + "/adapter")
torch.save({**found, "adapted": logits(adapted)}, sys.argv[3])
assert not {"sslc", "workloads", "reports"} & set(sys.modules)
"""


@pytest.fixture(scope="module")
def artifact(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    out = Output(tmp_path_factory.mktemp("export") / "a")
    method = load_method("sslc", {"rank_share": 0.1})
    choice = Choice(exclude=("o_proj",), overrides=(Override("k_proj", {"kept_fraction": 0.7}),))
    return compress_checkpoint(
        open_checkpoint(str(llama)), method, calibration=CUT, output=out, choice=choice
    )


def _public_logits(dense: Path, base: Path) -> dict[str, torch.Tensor]:
    """Logits from a process that has transformers and PEFT and nothing of ours.

    Of the dense checkpoint, of the base with its adapter, and of the base without.
    """
    saved = dense / "logits.pt"
    command = [sys.executable, "-c", LOAD, str(dense), str(base), str(saved)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=dense)
    assert done.returncode == 0, done.stderr
    logits: dict[str, torch.Tensor] = torch.load(saved)
    return logits


def test_exports_load_with_public_libraries_alone(artifact: Artifact, tmp_path: Path) -> None:
    export_dense(artifact, tmp_path / "dense")
    export_adapter(artifact, tmp_path / "base")
    with torch.no_grad():
        expected = sslc.load(artifact.path)(torch.arange(12)[None]).logits
    found = _public_logits(tmp_path / "dense", tmp_path / "base")
    assert torch.allclose(found["dense"], expected, atol=1e-4)
    assert torch.allclose(found["adapted"], expected, atol=1e-4)
    assert not torch.allclose(found["base"], expected, atol=1e-2)


def test_load_generates_with_separate_factors(artifact: Artifact, tmp_path: Path) -> None:
    export_dense(artifact, tmp_path / "dense")
    dense: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "dense")
    model = sslc.load(artifact.path)
    prompt = torch.arange(5)[None]
    options = {"max_new_tokens": 6, "do_sample": False, "attention_mask": torch.ones_like(prompt)}
    found, expected = (each.generate(prompt, **options) for each in (model, dense))
    assert found.shape == (1, 11)
    assert torch.equal(found, expected)
    factors = [m for m in model.modules() if isinstance(m, SparseLowRankLinear) and m.u.shape[1]]
    assert len(factors) == 6 * 3
    for linear in factors:
        assert (linear.sparse == 0).any()


def _card(directory: Path) -> tuple[dict[str, object], str]:
    text = (directory / "README.md").read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    fields = yaml.safe_load(front)
    assert isinstance(fields, dict)
    return fields, body


def test_model_card_says_what_the_manifest_says(artifact: Artifact, tmp_path: Path) -> None:
    export_dense(artifact, tmp_path / "dense", dtype="BF16")
    fields, body = _card(tmp_path / "dense")
    name = artifact.settings.base_model["name"]
    assert (fields["base_model"], fields["library_name"]) == (name, "transformers")
    assert {"sslc", "sparse", "low-rank"} <= set(fields["tags"])  # type: ignore[call-overload]
    counts = totals(artifact.blocks)
    kept = (counts["nonzeros"] + counts["factor_parameters"]) / counts["parameters"]
    size = sum(file.stat().st_size for file in (tmp_path / "dense").glob("*.safetensors"))
    for text in (
        "| kept fraction asked for | 0.5 |",
        f"| {kept:.4%} |",
        "rank_share=0.1",
        "sonnets.txt, 2 x 32 = 64 tokens",
        "| exclude | o_proj |",
        "| overrides | k_proj: kept_fraction=0.7 |",
        f"| weights of this export | {size:,} bytes |",
        'AutoModelForCausalLM.from_pretrained("PATH")',
    ):
        assert text in body
    assert "perplexity" not in body.lower()


def _evaluated(artifact: Artifact, method: str, value: float, stride: int) -> None:
    """What ``sslc evaluate`` leaves beside an artifact."""
    subject = subject_of(artifact)
    if method == "dense":
        subject = dataclasses.replace(subject, method=method, masks="none", settings={})
    text = TextIdentity("a|b.txt", "cd" * 32, 512, stride, 0)
    result = perplexity(subject, value, text)
    folder = artifact.path / "results"
    folder.mkdir(exist_ok=True)
    write_json(folder / file_name(result), result_to_json(result))


def test_model_card_sets_side_by_side_only_perplexities_of_one_text_and_windows(
    artifact: Artifact, tmp_path: Path
) -> None:
    for method, value, stride in (("sslc", 31.25, 512), ("dense", 17.5, 512), ("dense", 16.5, 256)):
        _evaluated(artifact, method, value, stride)
    export_adapter(artifact, tmp_path / "base")
    name = artifact.settings.base_model["name"]
    about = "a\\|b.txt (SHA-256 cdcdcdcd), 100 predicted tokens in windows of 512"
    for folder, library in (("base", "transformers"), ("base/adapter", "peft")):
        fields, body = _card(tmp_path / folder)
        assert fields["library_name"] == library
        overlapping, plain = body.split(about)[1:3]
        assert plain.startswith(", F32 on cpu:")
        assert overlapping.startswith(" every 256, F32 on cpu:")
        assert f"| {name} | dense | 17.5 |" in plain
        assert f"| {name} | sslc | 31.25 |" in plain
        assert "16.5" not in plain
        assert f"| {name} | dense | 16.5 |" in overlapping
        assert "31.25" not in overlapping


def test_model_card_result_of_another_form_is_refused(artifact: Artifact, tmp_path: Path) -> None:
    results = artifact.path / "results"
    results.mkdir(exist_ok=True)
    for text, message in (
        ('{"perplexity": "low"}', r"perplexity\.json: not a result"),
        ('{"kind": "perplexity", "perplexity": 3}', "run `sslc evaluate` to make it anew"),
    ):
        (results / "perplexity.json").write_text(text)
        with pytest.raises(InputError, match=message):
            export_dense(artifact, tmp_path / "again")
        assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("method", ["sslc", "wanda"])
def test_artifact_projections_are_as_small_as_their_bits(
    llama: Path, tmp_path: Path, method: str
) -> None:
    """Half of 16 bits and one mask bit are 9/16 of the dense bytes."""
    output = Output(tmp_path / "a", dtype="BF16")
    named = load_method(method, {})
    made = compress_checkpoint(open_checkpoint(str(llama)), named, calibration=CUT, output=output)
    records = [record for block in made.blocks for record in block.projections]
    dense = sum(2 * record.m * record.n for record in records)
    files = sum((made.path / block.file).stat().st_size for block in made.blocks)
    headers = sum(
        8 + int.from_bytes((made.path / block.file).read_bytes()[:8], "little")
        for block in made.blocks
    )
    assert sum(record.stored_bytes for record in records) == files - headers
    assert (files - headers) / dense <= 0.57
