"""The block loop against transformers run whole, and its resume against an uninterrupted run."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from sslc.calibration.statistics import InputStatistics
from sslc.calibration.windows import Calibration
from sslc.compression.block_loop import compress_checkpoint
from sslc.compression.output import Output
from sslc.compression.plan import Choice
from sslc.evaluation.perplexity import perplexity
from sslc.exporting.adapter_export import export_adapter
from sslc.exporting.dense import export_dense
from sslc.methods.pruning import Wanda
from sslc.methods.registry import load_method
from sslc.model.blocks import BlockwiseModel
from sslc.model.config import tokenize
from sslc.model.opening import open_checkpoint
from sslc.model.weights import ArtifactWeights, dense_weight
from tests.sslc.making import SONNETS, tree_bytes
from workloads.artifact.read import Artifact, open_artifact
from workloads.artifact.record import ProjectionRecord
from workloads.artifact.write import ArtifactWriter
from workloads.support.errors import InputError
from workloads.texts.windows import random_windows

CUT = Calibration(str(SONNETS), windows=3, window_tokens=40)


def _run(model: Path, out: Path, method: str = "sslc", **output: Any) -> Artifact:
    loaded = load_method(method, {})
    return compress_checkpoint(
        open_checkpoint(str(model)), loaded, calibration=CUT, output=Output(out, **output)
    )


def _windows(model: Path) -> torch.Tensor:
    tokens = tokenize(model, SONNETS.read_text())
    return torch.from_numpy(random_windows(tokens, 3, 40, 0))


@pytest.mark.parametrize("family", ["llama", "qwen"])
def test_compress_wanda_equals_whole_model_reference(
    family: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Block i is pruned by what reaches it through the already pruned blocks before it."""
    path: Path = request.getfixturevalue(family)
    artifact = _run(path, tmp_path / "a", "wanda")
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    windows = _windows(path)
    for index, layer in enumerate(model.model.layers):
        for record in artifact.blocks[index].projections:
            linear = layer.get_submodule(record.name)
            seen: list[torch.Tensor] = []
            handle = linear.register_forward_pre_hook(lambda _, x, seen=seen: seen.append(x[0]))
            with torch.no_grad():
                model(windows)
            handle.remove()
            inputs = torch.cat([x.reshape(-1, x.shape[-1]) for x in seen])
            expected = Wanda().compress(linear.weight.detach(), _with_norms(inputs.norm(dim=0)))
            stored = artifact.read(index, record.name)
            differing = stored.mask.unpack() != expected.mask.numpy()
            assert differing.mean() < 0.002, (index, record.name)
        for record in artifact.blocks[index].projections:
            weight = dense_weight(artifact.read(index, record.name))
            layer.get_submodule(record.name).weight.data.copy_(weight)


@pytest.mark.parametrize("family", ["llama", "qwen"])
def test_export_dense_equals_artifact_in_transformers(
    family: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path: Path = request.getfixturevalue(family)
    artifact = _run(path, tmp_path / "a")
    export_dense(artifact, tmp_path / "dense")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "dense")
    tokens = tokenize(path, SONNETS.read_text())
    windows = torch.from_numpy(tokens[: 20 * 64].reshape(20, 64))
    with torch.no_grad():
        losses = [float(model(w[None], labels=w[None]).loss) for w in windows]
    found = perplexity(ArtifactWeights(artifact), str(SONNETS), window_tokens=64, max_tokens=1300)
    assert found.windows == 20
    assert found.predicted_tokens == 20 * 63
    assert found.perplexity == pytest.approx(np.exp(np.mean(losses)), rel=1e-4)


@pytest.mark.parametrize("family", ["llama", "qwen"])
def test_export_adapter_logits_equal_the_artifact_through_peft(
    family: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path: Path = request.getfixturevalue(family)
    artifact = _run(path, tmp_path / "a")
    export_dense(artifact, tmp_path / "dense")
    export_adapter(artifact, tmp_path / "base")
    dense = AutoModelForCausalLM.from_pretrained(tmp_path / "dense")
    base = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    for index, record in _records(artifact):
        weight = base.model.layers[index].get_submodule(record.name).weight
        assert int(torch.count_nonzero(weight)) <= record.nonzeros
    adapted = PeftModel.from_pretrained(base, tmp_path / "base" / "adapter", is_trainable=True)
    windows = _windows(path)
    with torch.no_grad():
        assert torch.allclose(adapted(windows).logits, dense(windows).logits, atol=1e-4)
    trained = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    assert trained == sum(record.factor_parameters for _, record in _records(artifact))


def test_export_adapter_without_factors_is_refused(llama: Path, tmp_path: Path) -> None:
    artifact = _run(llama, tmp_path / "a", "wanda")
    with pytest.raises(InputError, match="no projection has a low-rank part"):
        export_adapter(artifact, tmp_path / "base")
    assert not (tmp_path / "base").exists()


def _records(artifact: Artifact) -> list[tuple[int, ProjectionRecord]]:
    return [(i, record) for i, block in enumerate(artifact.blocks) for record in block.projections]


def test_perplexity_dense_equals_transformers(llama: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(llama, dtype=torch.float32)
    tokens = tokenize(llama, SONNETS.read_text())[:128]
    window = torch.from_numpy(tokens)[None]
    with torch.no_grad():
        loss = float(model(window, labels=window).loss)
    found = perplexity(open_checkpoint(str(llama)), str(SONNETS), window_tokens=128, max_tokens=128)
    assert found.negative_log_likelihood == pytest.approx(loss, rel=1e-5)


def test_compress_budget_counts_stand_in_the_manifest(llama: Path, tmp_path: Path) -> None:
    artifact = _run(llama, tmp_path / "a")
    for record in artifact.blocks[1].projections:
        kept = record.nonzeros + record.factor_parameters
        assert kept == record.m * record.n // 2
        assert record.rank == int(0.0625 * record.m * record.n / (record.m + record.n))
    artifact.verify()


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32"])
def test_compress_stored_dtype_is_obeyed(llama: Path, tmp_path: Path, dtype: str) -> None:
    artifact = _run(llama, tmp_path / "a", dtype=dtype)
    assert artifact.settings.dtype == dtype
    reread = artifact.read(0, "mlp.up_proj")
    assert reread.values.dtype.itemsize == (4 if dtype == "F32" else 2)


def test_compress_any_number_of_workers_gives_the_same_bytes(llama: Path, tmp_path: Path) -> None:
    checkpoint, method = open_checkpoint(str(llama)), load_method("sslc", {})
    for workers in (1, 3):
        output = Output(tmp_path / str(workers), dtype="BF16")
        compress_checkpoint(checkpoint, method, calibration=CUT, output=output, workers=workers)
    assert tree_bytes(tmp_path / "1") == tree_bytes(tmp_path / "3")


def _with_norms(norms: torch.Tensor) -> InputStatistics:
    return InputStatistics(norms, torch.zeros_like(norms), torch.zeros_like(norms))


class _KilledError(Exception):
    pass


@pytest.mark.parametrize("after", [0, 1, 3])
def test_compress_resumed_run_is_byte_identical(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    _run(llama, tmp_path / "whole")
    write, finish = ArtifactWriter.write_block, ArtifactWriter.finish

    def stop(writer: ArtifactWriter, *arguments: Any) -> None:
        if len(writer.blocks) == after:
            raise _KilledError
        (finish if after == 3 else write)(writer, *arguments)

    monkeypatch.setattr(ArtifactWriter, "finish" if after == 3 else "write_block", stop)
    with pytest.raises(_KilledError):
        _run(llama, tmp_path / "resumed")
    monkeypatch.undo()
    assert not (tmp_path / "resumed").exists()
    _run(llama, tmp_path / "resumed", resume=True)
    assert tree_bytes(tmp_path / "resumed") == tree_bytes(tmp_path / "whole")
    assert not (tmp_path / "resumed.partial").exists()


def test_compress_killed_before_last_rename_is_completed(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("workloads.artifact.write.rename_into_place", lambda _: None)
        with pytest.raises(InputError, match="not an artifact"):
            _run(llama, tmp_path / "b")
    written = (tmp_path / "b.partial" / "manifest.json").stat().st_mtime_ns
    _run(llama, tmp_path / "b", resume=True)
    assert (tmp_path / "b" / "manifest.json").stat().st_mtime_ns == written
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b"]


def test_compress_resume_of_finished_run_changes_nothing(llama: Path, tmp_path: Path) -> None:
    _run(llama, tmp_path / "a")
    before = (tmp_path / "a" / "manifest.json").stat().st_mtime_ns
    _run(llama, tmp_path / "a", resume=True)
    assert (tmp_path / "a" / "manifest.json").stat().st_mtime_ns == before
    with pytest.raises(InputError, match="other settings"):
        _run(llama, tmp_path / "a", "wanda", resume=True)


def test_compress_overwrite_replaces_the_artifact(llama: Path, tmp_path: Path) -> None:
    _run(llama, tmp_path / "a")
    _run(llama, tmp_path / "a", "wanda", overwrite=True)
    assert open_artifact(tmp_path / "a").settings.method["name"] == "wanda"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_compress_failed_overwrite_leaves_the_old_artifact(llama: Path, tmp_path: Path) -> None:
    _run(llama, tmp_path / "a")
    before = tree_bytes(tmp_path / "a")
    method = load_method("sslc", {"rank": 30})
    with pytest.raises(InputError, match=r"block 0, self_attn.q_proj: .*rank 30"):
        compress_checkpoint(
            open_checkpoint(str(llama)),
            method,
            calibration=CUT,
            output=Output(tmp_path / "a", overwrite=True),
        )
    assert tree_bytes(tmp_path / "a") == before


def test_compress_first_block_only_runs_nothing_behind_it(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first block is what it is in a whole run, and no later block sees the calibration."""
    whole = _run(llama, tmp_path / "whole", "wanda")
    ran: list[int] = []
    original = BlockwiseModel.run

    def counted(self: BlockwiseModel, index: int, *rest: Any, **options: Any) -> None:
        ran.append(index)
        original(self, index, *rest, **options)

    monkeypatch.setattr(BlockwiseModel, "run", counted)
    first = compress_checkpoint(
        open_checkpoint(str(llama)),
        Wanda(),
        calibration=CUT,
        output=Output(tmp_path / "first"),
        choice=Choice(include=("layers.0.*",)),
    )
    assert ran == [0]
    assert first.blocks[0] == whole.blocks[0]
    for index in (1, 2):
        for record in first.blocks[index].projections:
            assert (record.nonzeros, record.scaled_error) == (record.m * record.n, 0)
