"""Who is compressed by what: patterns, overrides, and what becomes of a projection left dense."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import sslc
from sslc.calibration.windows import Calibration
from sslc.compression.block_loop import compress_checkpoint
from sslc.compression.output import Output
from sslc.compression.plan import Choice, Override, make_plan, read_overrides
from sslc.evaluation.perplexity import perplexity
from sslc.exporting.adapter_export import export_adapter
from sslc.methods.registry import load_method
from sslc.model.opening import open_checkpoint
from sslc.model.weights import ArtifactWeights
from tests.sslc.making import SONNETS
from workloads.artifact.read import Artifact, open_artifact
from workloads.support.errors import InputError

NAMES = ("self_attn.q_proj", "self_attn.o_proj", "mlp.up_proj", "mlp.down_proj")
METHOD = load_method("sslc", {"iterations": 3, "kept_fraction": 0.6})
CUT = Calibration(str(SONNETS), windows=2, window_tokens=32)


def _overrides(tables: dict[str, dict[str, Any]]) -> tuple[Override, ...]:
    return tuple(Override(pattern, table) for pattern, table in tables.items())


def _dense(choice: Choice) -> set[str]:
    plan = make_plan(choice, METHOD, names=NAMES, blocks=12)
    return {f"{index}.{name}" for index, name, method in plan if method.name == "dense"}


def test_plan_without_a_choice_gives_the_run_s_method() -> None:
    plan = make_plan(Choice(), METHOD, names=NAMES, blocks=2)
    assert list(plan) == [(i, n, METHOD) for i in range(2) for n in NAMES]


def test_plan_last_part_matches_every_block() -> None:
    assert _dense(Choice(exclude=("q_proj",))) == {f"{i}.self_attn.q_proj" for i in range(12)}


def test_plan_block_pattern_does_not_match_longer_numbers() -> None:
    assert _dense(Choice(exclude=("layers.1.*",))) == {f"1.{name}" for name in NAMES}


def test_plan_include_then_exclude_leaves_the_difference() -> None:
    dense = _dense(Choice(include=("*.mlp.*",), exclude=("layers.0.*", "*.down_proj")))
    compressed = {f"{i}.{name}" for i in range(12) for name in NAMES} - dense
    assert compressed == {f"{i}.mlp.up_proj" for i in range(1, 12)}


def test_plan_later_override_wins_and_keeps_the_rest() -> None:
    overrides = _overrides(
        {
            "*": {"iterations": 7, "rank_share": 0.1},
            "up_proj": {"iterations": 9},
            "layers.1.*": {"method": "wanda"},
        }
    )
    plan = make_plan(Choice(overrides=overrides), METHOD, names=NAMES, blocks=2)
    changed = {"iterations": 9, "rank_share": 0.1, "kept_fraction": 0.6}
    assert plan.blocks[0]["mlp.up_proj"] == load_method("sslc", changed)
    wanda = load_method("wanda", {"kept_fraction": 0.6})
    assert plan.blocks[1]["mlp.up_proj"] == wanda


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (Choice(include=("qproj",)), r"--include: pattern 'qproj' matches no projection.*q_proj"),
        (Choice(exclude=("layers.12.*",)), r"--exclude.*layers\.0\.self_attn\.q_proj"),
        (Choice(exclude=("*",)), "leave no projection"),
        (Choice(overrides=_overrides({"k_proj": {}})), "'k_proj' matches no projection"),
        (Choice(overrides=_overrides({"q_proj": {"rnk": 3}})), "unknown key 'rnk'"),
        (Choice(overrides=_overrides({"q_proj": {"iterations": "ten"}})), "iterations must be int"),
        (Choice(overrides=_overrides({"q_proj": {"kept_fraction": 2.0}})), r"must lie in \[0, 1\]"),
        (Choice(overrides=_overrides({"q_proj": {"method": "wnda"}})), "did you mean wanda"),
        (
            Choice(exclude=("q_proj",), overrides=_overrides({"q_proj": {"rnk": 3}})),
            "unknown key 'rnk'",
        ),
    ],
)
def test_plan_bad_choice_is_refused(choice: Choice, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_plan(choice, METHOD, names=NAMES, blocks=12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("q_proj = 3", "'q_proj' is not a table"),
        ("[layers.0]\nkept_fraction = 0.5", "needs quotes"),
        ("[q_proj]\n[q_proj]", "q_proj"),
        ("[q_proj", "mine.toml"),
    ],
)
def test_read_overrides_bad_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_overrides(tmp_path / "mine.toml")
    assert "mine.toml" in str(caught.value)


CHOICE = Choice(
    exclude=("down_proj", "layers.2.*"), overrides=_overrides({"v_proj": {"kept_fraction": 0.8}})
)


def _run(model: Path, out: Path, choice: Choice = CHOICE, resume: bool = False) -> Artifact:
    output = Output(out, resume=resume)
    return compress_checkpoint(
        open_checkpoint(str(model)), METHOD, calibration=CUT, output=output, choice=choice
    )


@pytest.fixture(scope="module")
def chosen(qwen: Path, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return _run(qwen, tmp_path_factory.mktemp("chosen") / "a")


def test_compress_excluded_projection_is_stored_as_it_was(qwen: Path, chosen: Artifact) -> None:
    dense = load_file(qwen / "model.safetensors")
    weights = ArtifactWeights(chosen)
    for index, block in enumerate(chosen.blocks):
        for record in block.projections:
            name = f"model.layers.{index}.{record.name}.weight"
            same = torch.equal(weights.tensor(name), dense[name])
            left = index == 2 or record.name == "mlp.down_proj"
            assert same == left
            if left:
                assert (record.nonzeros, record.rank) == (record.m * record.n, 0)
                assert (record.kept_fraction, record.scaled_error) == (1.0, 0.0)
                assert chosen.read(index, record.name).mask.unpack().all()


def test_compress_overridden_projection_gets_its_budget(chosen: Artifact) -> None:
    [record] = [r for r in chosen.blocks[0].projections if r.name == "self_attn.v_proj"]
    assert record.nonzeros + record.factor_parameters == int(0.8 * record.m * record.n)
    assert record.kept_fraction == 0.8


def test_compress_choice_stands_in_the_manifest_and_is_compared(
    qwen: Path, chosen: Artifact, tmp_path: Path
) -> None:
    assert open_artifact(chosen.path).settings.choice == CHOICE.to_json()
    assert open_artifact(chosen.path).settings == chosen.settings
    with pytest.raises(InputError, match="other settings"):
        _run(qwen, chosen.path, Choice(), resume=True)
    plain = _run(qwen, tmp_path / "plain", Choice())
    assert "choice" not in (plain.path / "manifest.json").read_text()
    with pytest.raises(InputError, match="other settings"):
        _run(qwen, plain.path, resume=True)


def test_dense_projection_works_in_every_later_stage(chosen: Artifact, tmp_path: Path) -> None:
    export_adapter(chosen, tmp_path / "base")
    model = sslc.load(chosen.path)
    tokens = torch.arange(30).reshape(1, 30)
    with torch.no_grad():
        logits = model(tokens).logits
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    adapted = PeftModel.from_pretrained(base, tmp_path / "base" / "adapter")
    with torch.no_grad():
        assert torch.allclose(adapted(tokens).logits, logits, atol=1e-4)
    found = perplexity(ArtifactWeights(chosen), window_tokens=32, max_tokens=64)
    assert np.isfinite(found.perplexity)
