"""Recovery against a loop in plain torch; what it may change, what it must not, and resuming."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import sslc
from sslc.calibration.windows import Calibration
from sslc.compression.block_loop import compress_checkpoint
from sslc.compression.output import Output
from sslc.compression.plan import EVERYTHING, Choice
from sslc.methods.registry import load_method
from sslc.model.loading import SparseLowRankLinear
from sslc.model.opening import open_checkpoint
from sslc.model.weights import to_torch
from sslc.recovery.data import collate, load_training_data
from sslc.recovery.fine_tuning import adapted_model
from sslc.recovery.recovered import recover_artifact, trained_ranks
from sslc.recovery.settings import Training
from tests.sslc.making import SONNETS, tree_bytes
from workloads.artifact.read import Artifact, open_artifact
from workloads.artifact.record import totals
from workloads.support.errors import InputError
from workloads.support.working import mark

CUT = Calibration(str(SONNETS), windows=2, window_tokens=32)
QUICK = Training(steps=3, window_tokens=32, batch_size=2, learning_rate=1e-2)
TOKENS = torch.arange(24)[None]
Make = Callable[..., Artifact]


@pytest.fixture(scope="module")
def make(llama: Path, qwen: Path, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Compresses a small model, once per method, family and choice."""
    made: dict[object, Artifact] = {}

    def artifact(
        method: str, family: str = "llama", choice: Choice = EVERYTHING, dtype: str = "auto"
    ) -> Artifact:
        key = (method, family, choice, dtype)
        if key not in made:
            model = open_checkpoint(str({"llama": llama, "qwen": qwen}[family]))
            output = Output(tmp_path_factory.mktemp("source") / "a", dtype)
            named = load_method(method, {})
            made[key] = compress_checkpoint(
                model, named, calibration=CUT, output=output, choice=choice
            )
        return made[key]

    return artifact


@pytest.mark.parametrize("method", ["sslc", "wanda"])
def test_recover_changes_factors_and_nothing_else(make: Make, tmp_path: Path, method: str) -> None:
    before = make(method, "qwen", Choice(exclude=("o_proj",)), "BF16")
    after = recover_artifact(before, QUICK, output=Output(tmp_path / "a"))
    after.verify()
    for index, block in enumerate(before.blocks):
        for old, new in zip(block.projections, after.blocks[index].projections, strict=True):
            was, now = before.read(index, old.name), after.read(index, new.name)
            assert was.mask.bits.tobytes() == now.mask.bits.tobytes()
            assert was.values.tobytes() == now.values.tobytes()
            assert (was.bias is None) == (now.bias is None) == (not old.bias)
            assert was.bias is None or was.bias.tobytes() == now.bias.tobytes()  # type: ignore[union-attr]
            if old.name.endswith("o_proj"):
                assert old == new
            else:
                assert (new.rank > 0, new.scaled_error) == (True, None)
                assert not np.array_equal(was.u, now.u)
                assert not np.array_equal(was.v, now.v)
    for file in ("rest.safetensors", *before.files):
        assert (before.path / file).read_bytes() == (after.path / file).read_bytes()
    assert replace(after.settings, recovery={}) == before.settings
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_adapted_model_is_the_artifact_and_trains_factors_only(make: Make) -> None:
    artifact = make("sslc", "qwen")
    model = adapted_model(artifact, trained_ranks(artifact, 0.0), seed=0)
    expected = sslc.load(artifact.path)(TOKENS).logits
    assert torch.allclose(model(input_ids=TOKENS).logits, expected, atol=1e-5)
    model(input_ids=TOKENS, labels=TOKENS).loss.backward()
    trained = {name for name, each in model.named_parameters() if each.requires_grad}
    assert trained == {name for name, each in model.named_parameters() if each.grad is not None}
    assert all(".lora_A.default." in name or ".lora_B.default." in name for name in trained)
    assert len(trained) == 2 * 7 * len(artifact.blocks)
    assert {each.dtype for each in model.parameters()} == {torch.float32}


def test_recover_is_adamw_on_u_and_v_by_the_models_own_loss(make: Make, tmp_path: Path) -> None:
    """Three steps on the same two examples of different length, against a loop in plain torch."""
    artifact = make("sslc")
    rows = [{"text": "It was the best of times."}, {"text": "It was the worst of times, wasn't it"}]
    path = tmp_path / "two.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    training = replace(QUICK, data=str(path), warmup_share=0.0)
    after = recover_artifact(artifact, training, output=Output(tmp_path / "a"))

    model = sslc.load(artifact.path)
    linears = {n: m for n, m in model.named_modules() if isinstance(m, SparseLowRankLinear)}
    factors = [factor for each in linears.values() for factor in (each.u, each.v)]
    batch = collate(load_training_data(str(path), artifact.path, window_tokens=32).examples)
    optimizer = torch.optim.AdamW(factors, weight_decay=0.0)
    losses = []
    for step in range(3):
        logits = model(input_ids=batch["input_ids"]).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), batch["labels"][:, 1:].flatten(), ignore_index=-100
        )
        losses.append(loss.item())
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(factors, 1.0)
        optimizer.param_groups[0]["lr"] = training.learning_rate * (3 - step) / 3
        optimizer.step()
        optimizer.zero_grad()

    mean = sum(losses) / 3
    assert after.training_loss == {"first": pytest.approx(mean, rel=1e-5)} | {
        "last": pytest.approx(mean, rel=1e-5)
    }
    assert losses[2] < losses[1] < losses[0]
    for name, linear in linears.items():
        _, _, index, projection = name.split(".", 3)
        stored = after.read(int(index), projection)
        for found, expected in ((stored.u, linear.u), (stored.v, linear.v)):
            wrong = np.abs(found - expected.detach().numpy())
            assert np.median(wrong) < 1e-6
            assert np.quantile(wrong, 0.99) < 1e-4 < training.learning_rate / 10


def test_recover_with_a_teacher_learns_its_distributions(
    make: Make, llama: Path, tmp_path: Path
) -> None:
    """The first loss is KL(dense ‖ compressed) where labels count; AdamW goes down along it."""
    from transformers import AutoModelForCausalLM

    artifact, path = make("sslc"), tmp_path / "one.jsonl"
    path.write_text('{"instruction": "Greet.", "output": "Hello there"}\n')
    training = replace(
        QUICK, data=str(path), steps=1, batch_size=1, window_tokens=256, learning_rate=1e-3,
        warmup_share=0.0, teacher=str(llama),
    )  # fmt: skip
    after = recover_artifact(artifact, training, output=Output(tmp_path / "a"))
    [example] = load_training_data(str(path), artifact.path, window_tokens=256).examples
    places = (example["labels"][1:] != -100).nonzero().flatten()
    assert 0 < len(places) < len(example["labels"]) - 1
    model = sslc.load(artifact.path)
    teacher = AutoModelForCausalLM.from_pretrained(llama, dtype=torch.float32)
    found = model(example["input_ids"][None]).logits[0, places].log_softmax(-1)
    with torch.no_grad():
        wanted = teacher(example["input_ids"][None]).logits[0, places].softmax(-1)
    loss = (wanted * (wanted.log() - found)).sum(-1).mean()
    assert after.training_loss["first"] == pytest.approx(loss.item(), rel=1e-4)
    loss.backward()
    linear = model.model.layers[2].mlp.down_proj
    moved = to_torch(after.read(2, "mlp.down_proj").u) - linear.u.detach()
    clear = linear.u.grad.abs() > 1e-5
    assert clear.any()
    assert torch.allclose(moved[clear], -1e-3 * linear.u.grad.sign()[clear], atol=1e-5)
    recovery = after.settings.recovery
    assert recovery["teacher_sha256"] == open_checkpoint(str(llama)).sha256()
    assert recovery["teacher"] == open_checkpoint(str(llama)).name


def test_recover_first_loss_is_that_of_transformers(make: Make, tmp_path: Path) -> None:
    artifact = make("wanda")
    path = tmp_path / "one.jsonl"
    path.write_text('{"instruction": "Greet.", "output": "Hello"}\n')
    training = Training(str(path), steps=1, batch_size=1, window_tokens=256)
    after = recover_artifact(artifact, training, output=Output(tmp_path / "a"))
    [example] = load_training_data(str(path), artifact.path, window_tokens=256).examples
    batch = {name: tokens[None] for name, tokens in example.items()}
    expected = sslc.load(artifact.path)(**batch).loss.item()
    assert after.training_loss["first"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("method", ["sslc", "wanda"])
def test_recover_lowers_the_loss_and_the_artifact_is_what_was_trained(
    make: Make, tmp_path: Path, method: str
) -> None:
    artifact = make(method)
    path = tmp_path / "text.txt"
    path.write_text("To be, or not to be, that is the question. " * 20)
    training = replace(QUICK, data=str(path), steps=25)
    after = recover_artifact(artifact, training, output=Output(tmp_path / "a"))
    assert after.training_loss["last"] < 0.85 * after.training_loss["first"]
    windows = load_training_data(str(path), artifact.path, window_tokens=32).examples
    batch = collate(windows[:4])
    losses = [float(sslc.load(each.path)(**batch).loss) for each in (artifact, after)]
    assert losses[1] < 0.85 * losses[0]
    assert losses[1] < after.training_loss["last"] * 1.1


def test_recover_sslc_and_lora_train_the_same_number_of_parameters(
    make: Make, tmp_path: Path
) -> None:
    recovered = [
        recover_artifact(make(method), QUICK, output=Output(tmp_path / method))
        for method in ("sslc", "wanda")
    ]
    factors, lora = (each.settings.recovery for each in recovered)
    assert factors["trained_parameters"] == lora["trained_parameters"] > 0
    assert (factors["trained"], lora["trained"]) == ("factors", "lora")
    assert ("rank_share" in factors, lora["rank_share"]) == (False, 0.0625)
    assert totals(recovered[0].blocks) == totals(make("sslc").blocks)
    sums = totals(recovered[1].blocks)
    assert sums["nonzeros"] == totals(make("wanda").blocks)["nonzeros"]
    assert sums["factor_parameters"] == lora["trained_parameters"]
    for record in (r for block in recovered[1].blocks for r in block.projections):
        kept = (record.nonzeros + record.rank * (record.m + record.n)) / (record.m * record.n)
        assert record.kept_fraction == kept > 0.5


class InterruptedTestError(Exception):
    pass


def test_recover_interrupted_and_resumed_is_byte_identical(make: Make, tmp_path: Path) -> None:
    """Stopped twice, and once in the middle of writing a checkpoint; over three epochs."""
    artifact = make("wanda")
    text = tmp_path / "text.txt"
    text.write_text("To be, or not to be, that is the question. " * 12)
    training = replace(QUICK, data=str(text), steps=12)
    examples = len(load_training_data(str(text), artifact.path, window_tokens=32).examples)
    assert 2 * examples < training.steps * training.batch_size
    whole = recover_artifact(artifact, training, output=Output(tmp_path / "whole"))
    output = Output(tmp_path / "a", resume=True)
    work = tmp_path / "a.training"

    def stop_at(step: int) -> Callable[[str, int, int], None]:
        def progress(stage: str, done: int, total: int) -> None:
            assert (stage, total) == ("recover", 12)
            if done == step:
                raise InterruptedTestError

        return progress

    for step in (4, 8):
        with pytest.raises(InterruptedTestError):
            recover_artifact(artifact, training, output=output, progress=stop_at(step))
    newest = work / "checkpoint-7"
    assert newest.is_dir()
    shutil.copytree(newest, work / "checkpoint-8")
    (work / "checkpoint-8" / "trainer_state.json").write_text('{"global_step": 8, "log')
    with pytest.raises(InputError, match="--resume continues it, --overwrite starts again"):
        recover_artifact(artifact, training, output=Output(tmp_path / "a"))
    with pytest.raises(InputError, match="made with another recovery"):
        recover_artifact(artifact, replace(training, seed=1), output=output)
    told: list[int] = []
    again = recover_artifact(
        artifact, training, output=output, progress=lambda _, done, __: told.append(done)
    )
    assert told == [7, *range(8, 13)]
    assert tree_bytes(again.path) == tree_bytes(whole.path)
    assert not work.exists()
    finished = recover_artifact(artifact, training, output=output, progress=stop_at(0))
    assert finished == again
    with pytest.raises(InputError, match="finished, but was made with other settings"):
        recover_artifact(artifact, replace(training, seed=1), output=output)


def test_recover_overwrite_starts_again(make: Make, tmp_path: Path) -> None:
    artifact, output = make("sslc"), Output(tmp_path / "a", overwrite=True)
    mark(tmp_path / "a.training")
    (tmp_path / "a.training" / "checkpoint-3").mkdir()
    (tmp_path / "a.training" / "checkpoint-3" / "trainer_state.json").write_text("{}")
    first = recover_artifact(artifact, QUICK, output=output)
    second = recover_artifact(artifact, replace(QUICK, seed=1), output=output)
    assert first.settings.recovery["seed"] == 0
    assert open_artifact(tmp_path / "a") == second
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_recover_what_cannot_be_is_refused(make: Make, tmp_path: Path) -> None:
    artifact = make("sslc")
    after = recover_artifact(artifact, QUICK, output=Output(tmp_path / "a"))
    for source, training, directory, message in (
        (after, QUICK, tmp_path / "b", "recovered already"),
        (artifact, QUICK, artifact.path, "is the artifact itself"),
        (artifact, QUICK, tmp_path / "a", "exists already; --overwrite"),
        (make("wanda"), replace(QUICK, rank_share=1e-4), tmp_path / "b", "nothing to train"),
        (make("wanda"), replace(QUICK, rank_share=0.6), tmp_path / "b", "smaller --rank-share"),
        (artifact, replace(QUICK, learning_rate=1e30), tmp_path / "b", "loss is not finite at"),
    ):
        with pytest.raises(InputError, match=message):
            recover_artifact(
                source, training, output=Output(directory, overwrite=directory == artifact.path)
            )
    with pytest.raises(InputError, match="stored in F32, which stays"):
        recover_artifact(artifact, QUICK, output=Output(tmp_path / "b", dtype="BF16"))


def test_recover_without_peft_names_the_extra_and_leaves_nothing(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = make("sslc")
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(InputError, match=r"extra 'recover'.*pip install -e"):
        recover_artifact(artifact, QUICK, output=Output(tmp_path / "new" / "a"))
    assert not list((tmp_path / "new").iterdir())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 0),
        ("window_tokens", 1),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("warmup_share", 1.5),
        ("seed", -1),
        ("rank_share", 1.5),
    ],
)
def test_training_bad_value_is_named(name: str, value: float) -> None:
    with pytest.raises(InputError, match=name):
        replace(QUICK, **{name: value})  # type: ignore[arg-type]
