"""What can be opened as a model, and the sentence for what cannot."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sslc.calibration.windows import Calibration
from sslc.compression.block_loop import compress_checkpoint
from sslc.compression.output import Output
from sslc.methods.registry import load_method
from sslc.model.opening import open_checkpoint
from tests.sslc.making import SONNETS
from workloads.support.errors import InputError


@pytest.fixture
def copy(llama: Path, tmp_path: Path) -> Path:
    shutil.copytree(llama, tmp_path / "model")
    return tmp_path / "model"


def _edit(model: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(model / "model.safetensors")
    change(tensors)
    save_file(tensors, model / "model.safetensors")


def _compress(model: Path) -> None:
    cut = Calibration(str(SONNETS), windows=1, window_tokens=16)
    method = load_method("wanda", {})
    compress_checkpoint(
        open_checkpoint(str(model)), method, calibration=cut, output=Output(model.parent / "out")
    )


NAME = "model.layers.1.mlp.up_proj.weight"


def test_open_checkpoint_sharded_reads_every_shard(llama: Path, tmp_path: Path) -> None:
    tensors = load_file(llama / "model.safetensors")
    shutil.copytree(llama, tmp_path / "m", ignore=shutil.ignore_patterns("*.safetensors"))
    names = sorted(tensors)
    for shard in range(2):
        part = {name: tensors[name] for name in names[shard::2]}
        save_file(part, tmp_path / "m" / f"model-{shard + 1:05d}-of-00002.safetensors")
    opened = open_checkpoint(str(tmp_path / "m"))
    assert opened.names() == frozenset(names)
    assert torch.equal(opened.tensor(NAME), tensors[NAME])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda p: _edit(p, lambda t: t[NAME].view(-1)[3:4].fill_(torch.nan)),
            "block 1, mlp.up_proj",
        ),
        (
            lambda p: _edit(p, lambda t: t["model.embed_tokens.weight"].fill_(torch.nan)),
            "not finite",
        ),
        (lambda p: _edit(p, lambda t: t.update({NAME: t[NAME].to(torch.int8)})), "dtype I8"),
        (lambda p: _edit(p, lambda t: t.pop(NAME)), f"{NAME}' is missing"),
        (lambda p: _edit(p, lambda t: t.update({NAME: t[NAME].T.contiguous()})), r"\[64, 96\]"),
        (lambda p: (p / "model.safetensors").write_bytes(b"\x00" * 20), "safetensors"),
        (lambda p: (p / "model.safetensors").unlink(), "no \\*.safetensors"),
        (lambda p: (p / "config.json").unlink(), "no config.json"),
        (lambda p: (p / "config.json").write_text("{"), "config.json"),
        (lambda p: (p / "config.json").write_text(json.dumps({"model_type": "bert"})), "bert"),
        (lambda p: (p / "tokenizer.json").unlink(), "tokenizer"),
    ],
)
def test_compress_broken_checkpoint_names_the_fault(copy: Path, damage, message: str) -> None:  # type: ignore[no-untyped-def]
    damage(copy)
    with pytest.raises(InputError, match=message):
        _compress(copy)
    assert not (copy.parent / "out").exists()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("nowhere", "no such directory"),
        ("./no/where", "no such directory"),
        ("org/name-that-is-not-local", "hub did not give it"),
    ],
)
def test_open_checkpoint_nothing_there_raises(model: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_checkpoint(model)


@pytest.mark.parametrize(
    ("name", "message"), [("x.bin", "must be .gguf"), ("x.gguf", "not a GGUF")]
)
def test_open_checkpoint_wrong_file_raises(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).write_bytes(b"not a model")
    with pytest.raises(InputError, match=message):
        open_checkpoint(str(tmp_path / name))
