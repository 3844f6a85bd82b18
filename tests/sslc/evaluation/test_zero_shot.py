"""Tasks through lm-eval on models of every kind, against transformers alone."""

import builtins
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from transformers import AutoModelForCausalLM, AutoTokenizer

from sslc.calibration.windows import Calibration
from sslc.compression.block_loop import compress_checkpoint
from sslc.compression.output import Output
from sslc.evaluation.perplexity import perplexity
from sslc.evaluation.zero_shot import TaskScore, ZeroShotSettings, load_tasks, zero_shot
from sslc.exporting.adapter_export import export_adapter
from sslc.exporting.dense import export_dense
from sslc.methods.registry import load_method
from sslc.model.adapter import AdaptedWeights
from sslc.model.checkpoint import open_directory
from sslc.model.loading import SparseLowRankLinear, load_whole
from sslc.model.opening import open_checkpoint
from sslc.model.source import WeightSource
from sslc.model.weights import ArtifactWeights
from tests.sslc.making import SONNETS
from tests.tasks import QUESTIONS, Task, accuracies, write_task
from workloads.artifact.read import Artifact
from workloads.support.errors import InputError


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return write_task(tmp_path_factory.mktemp("task"))


@pytest.fixture(scope="module")
def artifact(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    out = tmp_path_factory.mktemp("zero") / "a"
    named = load_method("sslc", {"iterations": 2})
    cut = Calibration(str(SONNETS), windows=2, window_tokens=32)
    return compress_checkpoint(
        open_checkpoint(str(llama)), named, calibration=cut, output=Output(out)
    )


def _values(score: TaskScore) -> dict[str, float]:
    return {metric.name: metric.value for metric in score.metrics}


def _agree(source: WeightSource, model: Any, task: Task) -> None:
    [score] = zero_shot(source, [str(task.file)])
    tokenizer = AutoTokenizer.from_pretrained(source.directory)
    acc, acc_norm = accuracies(model.eval(), tokenizer, task)
    assert _values(score) == {"acc": acc, "acc_norm": acc_norm}
    [error] = [metric.stderr for metric in score.metrics if metric.name == "acc"]
    assert error == pytest.approx(math.sqrt(acc * (1 - acc) / (QUESTIONS - 1)))
    assert (score.task, score.version, score.shots) == ("which", "3.5", 0)
    assert (score.documents, score.of_documents) == (QUESTIONS, QUESTIONS)


@pytest.mark.parametrize("family", ["llama", "qwen"])
def test_zero_shot_dense_model_equals_transformers(
    family: str, task: Task, request: pytest.FixtureRequest
) -> None:
    path: Path = request.getfixturevalue(family)
    _agree(open_checkpoint(str(path)), AutoModelForCausalLM.from_pretrained(path), task)


def test_zero_shot_artifact_equals_its_export_and_stays_sparse(
    artifact: Artifact, task: Task, tmp_path: Path
) -> None:
    export_dense(artifact, tmp_path / "dense")
    source = ArtifactWeights(artifact)
    _agree(source, AutoModelForCausalLM.from_pretrained(tmp_path / "dense"), task)
    kinds = [type(module) for module in load_whole(source).model.layers[0].mlp.children()]
    assert kinds.count(SparseLowRankLinear) == 3


def test_zero_shot_adapter_export_stays_base_and_adapter(
    artifact: Artifact, task: Task, tmp_path: Path
) -> None:
    export_adapter(artifact, tmp_path / "base")
    source = AdaptedWeights(open_directory(tmp_path / "base", "base"))
    base = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    _agree(source, PeftModel.from_pretrained(base, tmp_path / "base" / "adapter"), task)
    assert any(isinstance(module, LoraLayer) for module in load_whole(source).modules())


def test_perplexity_adapter_export_equals_the_artifact(artifact: Artifact, tmp_path: Path) -> None:
    export_adapter(artifact, tmp_path / "base")
    base = open_directory(tmp_path / "base", "base")
    ours, adapted, bare = (
        perplexity(source, window_tokens=64, max_tokens=640).perplexity
        for source in (ArtifactWeights(artifact), AdaptedWeights(base), base)
    )
    assert adapted == pytest.approx(ours, rel=1e-5)
    assert bare != pytest.approx(ours, rel=1e-3)


def test_adapted_weights_scale_is_alpha_over_rank(artifact: Artifact, tmp_path: Path) -> None:
    export_adapter(artifact, tmp_path / "base")
    config = tmp_path / "base" / "adapter" / "adapter_config.json"
    text = config.read_text()
    source = open_directory(tmp_path / "base", "base")
    name = "model.layers.1.mlp.up_proj.weight"
    once = AdaptedWeights(source).tensor(name) - source.tensor(name)
    rank = artifact.blocks[1].projections[0].rank
    assert rank > 0
    changed = json.loads(text)
    changed["alpha_pattern"] = {key: 3 * r for key, r in changed["rank_pattern"].items()}
    config.write_text(json.dumps(changed))
    thrice = AdaptedWeights(source).tensor(name) - source.tensor(name)
    assert torch.allclose(thrice, 3 * once, atol=1e-6)
    config.write_text(json.dumps(changed | {"use_rslora": True}))
    with pytest.raises(InputError, match="not a plain LoRA adapter"):
        AdaptedWeights(source).tensor(name)


def test_zero_shot_limit_and_shots_are_obeyed(llama: Path, task: Task) -> None:
    settings = ZeroShotSettings(limit=5, shots=2, batch_size=3)
    [score] = zero_shot(open_checkpoint(str(llama)), [str(task.file)], settings=settings)
    assert (score.documents, score.of_documents, score.shots) == (5, QUESTIONS, 2)
    first = Task(task.file, task.questions[:5])
    model = AutoModelForCausalLM.from_pretrained(llama)
    [plain] = zero_shot(
        open_checkpoint(str(llama)), [str(task.file)], settings=ZeroShotSettings(limit=5)
    )
    acc, acc_norm = accuracies(model, AutoTokenizer.from_pretrained(llama), first)
    assert _values(plain) == {"acc": acc, "acc_norm": acc_norm}


def test_zero_shot_progress_ends_at_every_request(llama: Path, task: Task) -> None:
    seen: list[tuple[str, int, int]] = []
    zero_shot(
        open_checkpoint(str(llama)),
        [str(task.file)],
        progress=lambda *step: seen.append(step),
    )
    steps = [(done, total) for stage, done, total in seen if stage == "evaluate which"]
    assert steps[0] == (0, 3 * QUESTIONS)
    assert steps[-1] == (3 * QUESTIONS, 3 * QUESTIONS)
    assert len({done for done, _ in steps}) > 3


def test_load_tasks_folder_gives_every_task_in_it(tmp_path: Path) -> None:
    files = {str(write_task(tmp_path, name).file) for name in ("first", "second")}
    (tmp_path / "common.yaml").write_text("output_type: multiple_choice\n")
    assert set(load_tasks([str(tmp_path), str(tmp_path / "first.yaml")])) == files


def test_load_tasks_unknown_name_gives_the_nearest(task: Task) -> None:
    with pytest.raises(InputError, match=r"unknown task 'piqua': did you mean piqa"):
        load_tasks([str(task.file), "piqua"])


def test_load_tasks_hub_unreachable_names_the_offline_route(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    with pytest.raises(InputError, match=r"task piqa: .*hub cannot be reached.*dataset_path: json"):
        load_tasks(["piqa"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        ("task: [", "Error"),
        ("nothing: here\n", "ValueError"),
        ("task: t\ndataset_path: json\ndataset_kwargs: {data_files: nowhere.jsonl}\n", "nowhere"),
    ],
)
def test_load_tasks_broken_file_is_named(tmp_path: Path, content: str | None, message: str) -> None:
    file = tmp_path / "broken.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError, match=message) as raised:
        load_tasks([str(file)])
    assert "broken.yaml" in str(raised.value)


def test_load_tasks_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="finds no task"):
        load_tasks([str(tmp_path)])


def test_zero_shot_without_lm_eval_names_the_extra(
    llama: Path, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = builtins.__import__

    def missing(name: str, *rest: Any, **named: Any) -> Any:
        if name.partition(".")[0] == "lm_eval":
            raise ImportError("No module named 'lm_eval'")
        return really(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(InputError, match=r"extra 'eval'.*pip install -e"):
        zero_shot(open_checkpoint(str(llama)), [str(task.file)])


def test_load_tasks_more_shots_than_other_questions_is_refused(task: Task) -> None:
    most = QUESTIONS - 1
    assert len(load_tasks([str(task.file)], most)) == 1
    with pytest.raises(InputError, match=f"--shots must be at most {most}, its examples, got 24"):
        load_tasks([str(task.file)], QUESTIONS)
