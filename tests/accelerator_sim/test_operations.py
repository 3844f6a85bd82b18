"""The face: sources of every kind, identities, errors; no torch, and no cost to import."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import accelerator_sim
from accelerator_sim import Workload, load_accelerator, simulate, sweep
from accelerator_sim.models.cycles_result import CyclesResult
from tests.accelerator_sim.machines import block_by, projection, random_mask, small_machine
from tests.workloads.artifact.test_read import small_artifact
from workloads.artifact.read import open_artifact
from workloads.masks.foreign import open_pruned
from workloads.masks.synthetic import synthetic_block
from workloads.results.envelope import file_name, result_from_json, result_to_json
from workloads.shapes.transformer import SEPARATE, load_model
from workloads.support.errors import InputError

SPACE: dict[str, Any] = {
    "accelerator": "vitcod",
    "cycle_model": "roofline",
    "workload": {"model": "smollm2-135m", "rank": 16},
    "fields": {"lines": [16, 32]},
}


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_artifact(tmp_path_factory.mktemp("operations"))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One block whose weights are 16x16 and half zero, with its heads."""
    directory = tmp_path_factory.mktemp("operations") / "pruned"
    directory.mkdir()
    random = np.random.default_rng(0)
    weights = {
        f"model.layers.0.x.{name}.weight": (random.random((16, 16)) < 0.5).astype(np.float32)
        for name in SEPARATE
    }
    save_file(weights, directory / "model.safetensors")
    heads = {"num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 4}
    (directory / "config.json").write_text(json.dumps(heads))
    return directory


def test_simulate_artifact_is_its_blocks_simulated(artifact: Path) -> None:
    result = simulate(artifact, small_machine(), models=("roofline", "event"), tokens=2)
    opened = open_artifact(artifact)
    by_block: dict[int, list[Any]] = {}
    for block, item in opened.projections(2):
        by_block.setdefault(block, []).append(item)
    for cycles in result:
        model: Any = cycles.identity.cycle_model
        expected = tuple(block_by(model, items, small_machine()) for items in by_block.values())
        assert cycles.blocks == expected
    work = result["event"].identity.workload
    assert (work.blocks, work.of_blocks, work.tokens) == (len(by_block), len(by_block), 2)
    assert result["event"].tokens_per_second is not None


def test_simulate_path_text_and_opened_source_are_the_same_result(
    artifact: Path, checkpoint: Path
) -> None:
    for path, opened in (
        (artifact, open_artifact(artifact)),
        (checkpoint, open_pruned(checkpoint)),
    ):
        results = [
            simulate(source, small_machine(), models="roofline")["roofline"]
            for source in (path, str(path), opened)
        ]
        names = {file_name(result) for result in results}
        assert len(names) == 1
        assert len({result.identity.workload.sha256 for result in results}) == 1


def test_simulate_checkpoint_with_context_has_attention(checkpoint: Path) -> None:
    result = simulate(checkpoint, models="event", tokens=2, context=30)["event"]
    names = [part.name for part in result.blocks[0].projections]
    assert names[3:6] == ["qk", "softmax", "av"]
    assert result.identity.workload.context == 30
    assert result.identity.subject.masks == "real (pruned)"


def test_simulate_shape_by_name_has_synthetic_masks_of_a_seed() -> None:
    plain = simulate("smollm2-135m", models="roofline")["roofline"]
    settings = Workload(model="smollm2-135m", kept_fraction=0.3, rank=8, seed=5)
    other = simulate(settings, models="roofline", blocks=2)["roofline"]
    shape = load_model("smollm2-135m")
    machine = load_accelerator("array-64x64")
    for block, seed in zip(other.blocks, (5, 6), strict=True):
        items = synthetic_block(shape, 0.3, 8, tokens=1, seed=seed)
        assert block == block_by("roofline", items, machine)
    assert plain.identity.subject.masks == "synthetic (wanda-lognormal, seed 0)"
    assert plain.identity.workload.of_blocks == shape.blocks
    assert plain.identity.subject.kept_fraction == pytest.approx(0.5, abs=1e-4)
    assert plain.tokens_per_second is None


def test_simulate_projections_keep_their_tokens_unless_told() -> None:
    item = projection(random_mask(12, 14, 0.5, 0), rank=2, tokens=3)
    own = simulate([item, item], small_machine(), models="event")["event"]
    assert own.identity.workload.tokens == 3
    assert own.blocks[0] == block_by("event", [item, item], small_machine())
    told = simulate(item, small_machine(), models="event", tokens=1)["event"]
    assert told.identity.workload.tokens == 1
    assert told.blocks[0].total.sum_cycles < own.blocks[0].total.sum_cycles


def test_simulate_overrides_are_in_the_machines_name_and_file() -> None:
    item = projection(random_mask(12, 14, 0.5, 0))
    plain, changed, same = (
        simulate(item, machine, overrides=overrides, models="roofline")["roofline"]
        for machine, overrides in (
            ("vitcod", None),
            ("vitcod", {"lines": 32}),
            (load_accelerator("vitcod", {"lines": 32}), None),
        )
    )
    assert changed.identity.machine.label == "vitcod + lines=32"
    assert changed.identity == same.identity
    assert file_name(plain) != file_name(changed) == file_name(same)


def test_simulation_is_read_back_and_shown(checkpoint: Path) -> None:
    result = simulate(checkpoint, models=("published", "event"))
    for cycles in result:
        values = json.loads(json.dumps(result_to_json(cycles)))
        assert result_from_json(values, [CyclesResult], "here") == cycles
    assert len(result.to_table().rows) == 4
    assert repr(result).startswith("Simulation(pruned, as given, array-64x64: published, event")
    assert len(result.plot().axes) == 2
    assert [c.identity.cycle_model for c in result] == ["published", "event"]
    with pytest.raises(KeyError):
        result["roofline"]


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("llama2-8b", {}, "neither a directory .* nor a model's shape; shapes are .*llama2-7b"),
        ("smollm2-135m", {"models": "evnt"}, "did you mean event"),
        ("smollm2-135m", {"accelerator": "vitcot"}, "did you mean vitcod"),
        ("smollm2-135m", {"overrides": {"lins": 3}}, "did you mean lines"),
        ("smollm2-135m", {"tokens": 0}, "tokens must be at least 1, got 0"),
        ("smollm2-135m", {"blocks": 0}, "blocks must be at least 1, got 0"),
        ("smollm2-135m", {"tokens": 9, "context": 3}, "context must be at least tokens"),
        ([], {}, "the sequence is empty"),
    ],
)
def test_simulate_what_cannot_be_used_is_said(
    source: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        simulate(source, **{"models": "roofline", **options})


def test_simulate_context_of_masks_is_refused() -> None:
    with pytest.raises(InputError, match="masks do not tell the heads"):
        simulate(projection(random_mask(4, 4, 1, 0)), small_machine(), context=3)


def test_sweep_from_a_dictionary_is_that_from_a_file(tmp_path: Path) -> None:
    text = (
        'accelerator = "vitcod"\ncycle_model = "roofline"\n[workload]\nmodel = "smollm2-135m"\n'
        "rank = 16\n[fields]\nlines = [16, 32]\n"
    )
    (tmp_path / "space.toml").write_text(text)
    plain = sweep(SPACE, tmp_path / "a", workers=1)
    read = sweep(str(tmp_path / "space.toml"), str(tmp_path / "b"), workers=1)
    assert plain.points.equals(read.points)
    assert plain.result.identity == read.result.identity
    assert len(plain) == 2
    assert repr(plain).startswith("Sweep(2 points")
    assert plain.to_table().rows
    assert plain.plot().axes


def test_sweep_dictionary_that_cannot_be_used_names_its_key(tmp_path: Path) -> None:
    wrong = {**SPACE, "fields": {"lins": [1]}}
    with pytest.raises(InputError, match=r"space.*lins.*did you mean lines"):
        sweep(wrong, tmp_path / "a", workers=1)


def test_import_accelerator_sim_costs_nothing_and_knows_its_face() -> None:
    code = (
        "import sys, accelerator_sim\n"
        "heavy = {'numpy', 'numba', 'simpy', 'torch', 'pyarrow', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "for name in accelerator_sim.__all__: getattr(accelerator_sim, name)\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert dir(accelerator_sim) == sorted(accelerator_sim.__all__)
    with pytest.raises(AttributeError, match="no attribute 'simulat'"):
        accelerator_sim.simulat  # noqa: B018
