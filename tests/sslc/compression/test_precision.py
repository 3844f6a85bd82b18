"""Artifacts in few bits: what is stored is what was asked for, at the size that it says."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import deserialize

import sslc
from sslc.compression import rounding
from sslc.compression.rounding import original_of, to_stored
from sslc.exporting.dense import export_dense
from sslc.methods.registry import load_method
from sslc.methods.rounded import precision_of
from sslc.model.weights import dense_weight
from tests.sslc.making import make_artifact
from tests.sslc.problems import small_case
from workloads.artifact.read import Artifact, open_artifact
from workloads.artifact.record import weight_bits
from workloads.artifact.storage import Storage

SMALL = {"value_bits": 8, "factor_bits": 8}


def _tensor_bytes(artifact: Artifact) -> int:
    """Of every tensor of the blocks' files but biases, by safetensors' own reader."""
    files = (artifact.path / block.file for block in artifact.blocks)
    parts = (part for file in files for part in deserialize(file.read_bytes()))  # type: ignore[no-untyped-call]
    return sum(len(part["data"]) for name, part in parts if not name.endswith(".bias"))


@pytest.mark.parametrize(
    ("method", "settings", "most"),
    [
        ("sslc", SMALL, 5.6),
        ("sslc", {"value_bits": 6, "factor_bits": 8, "factor_format": "float"}, 4.7),
        ("sslc", {"value_bits": 4, "factor_bits": 16, "scale_columns": 32}, 4.6),
        ("sparsegpt", {"value_bits": 4}, 3.4),
        ("rtn", {}, 8.3),
        ("gptq", {"value_bits": 4}, 4.3),
    ],
)
def test_artifact_is_as_small_as_its_bits(
    llama: Path, tmp_path: Path, method: str, settings: dict[str, Any], most: float
) -> None:
    """Groups of 128 columns are short ones of 64 and 32 here, so that scales weigh more."""
    artifact = make_artifact(llama, tmp_path / "a", method=method, settings=settings)
    artifact.verify()
    parameters = sum(r.m * r.n for block in artifact.blocks for r in block.projections)
    assert 8 * _tensor_bytes(artifact) / parameters == weight_bits(artifact.blocks) < most
    asked = load_method(method, settings)
    for block in artifact.blocks:
        for record in block.projections:
            full = record.nonzeros == record.m * record.n
            assert record.storage == precision_of(asked).storage("F32", full=full)


def test_artifact_of_numbers_is_evaluated_and_exported_as_it_is_stored(
    llama: Path, tmp_path: Path
) -> None:
    artifact = make_artifact(llama, tmp_path / "a", settings=SMALL)
    export_dense(artifact, tmp_path / "dense")
    tokens = torch.arange(40)[None] % 60
    with torch.inference_mode():
        whole = sslc.load(str(tmp_path / "a"))(tokens).logits
        from transformers import AutoModelForCausalLM

        exported = AutoModelForCausalLM.from_pretrained(tmp_path / "dense")(tokens).logits
    assert torch.allclose(whole, exported, atol=1e-4)


def test_resumed_run_of_numbers_gives_the_same_bytes(llama: Path, tmp_path: Path) -> None:
    first = make_artifact(llama, tmp_path / "a", settings=SMALL)
    again = make_artifact(llama, tmp_path / "b", settings=SMALL)
    assert first.sha256 == again.sha256
    assert open_artifact(tmp_path / "a").settings.method["settings"]["value_bits"] == 8


def _lost(method: str, **settings: Any) -> float:
    """Relative output error of a projection that a method made, as it is stored."""
    weight, statistics = small_case(48, 64)
    assert statistics.hessian is not None
    named = load_method(method, settings)
    stored = to_stored(
        named.compress(weight, statistics),
        precision_of(named).storage("F32", full=False),
        original=original_of(weight, statistics, named),
    )
    error = weight - dense_weight(stored)
    return float(
        (
            (error @ statistics.hessian * error).sum()
            / (weight @ statistics.hessian * weight).sum()
        ).sqrt()
    )


@pytest.mark.parametrize("method", ["sslc", "sparsegpt", "wanda"])
def test_rounding_four_bits_propagates_errors_and_loses_less(method: str) -> None:
    nearest = _lost(method, value_bits=4, factor_bits=8, rounding="nearest")
    assert _lost(method, value_bits=4, factor_bits=8) < 0.95 * nearest


@pytest.mark.parametrize(
    ("method", "bits", "rounding"),
    [
        ("sslc", 8, "nearest"),
        ("sslc", 6, "alternate"),
        ("sslc", 4, "propagate"),
        ("sslc-h", 8, "propagate"),
    ],
)
def test_rounding_auto_goes_by_bits_and_by_what_the_method_looks_at(
    method: str, bits: int, rounding: str
) -> None:
    lost = {
        name: _lost(method, value_bits=bits, factor_bits=8, rank_share=0.2, rounding=name)
        for name in ("auto", "nearest", "alternate", "propagate")
    }
    assert lost["auto"] == lost[rounding]
    assert [name for name in lost if lost[name] == lost["auto"]] == ["auto", rounding]


def test_rounding_alternation_lets_factors_take_up_what_s_loses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = {"value_bits": 4, "factor_bits": 8, "rank_share": 0.3, "rounding": "alternate"}
    weight, statistics = small_case(48, 64)
    named, lost = load_method("sslc", settings), []
    made, original = named.compress(weight, statistics), original_of(weight, statistics, named)
    for rounds in (0, 3):
        monkeypatch.setattr(rounding, "_ROUNDS", rounds)
        stored = to_stored(made, Storage("I4", "I8", 128), original=original)
        lost.append(float(((weight - dense_weight(stored)) * statistics.scale()).norm()))
    assert lost[1] < 0.99 * lost[0]
