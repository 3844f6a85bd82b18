"""Tiny checkpoints that something is done to: copies of whole ones."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

Tensors = dict[str, torch.Tensor]


def copied(model: Path, folder: Path) -> Path:
    """A copy of a checkpoint in a folder."""
    return Path(shutil.copytree(model, folder / "model"))


def edit(model: Path, change: Callable[[Tensors], object]) -> None:
    """Change the tensors of a checkpoint in one file."""
    tensors = load_file(model / "model.safetensors")
    change(tensors)
    save_file(tensors, model / "model.safetensors", {"format": "pt"})


def configure(model: Path, file: str = "config.json", **fields: Any) -> None:
    """Change fields of a JSON file; None removes one."""
    path = model / file
    config = (json.loads(path.read_text()) if path.exists() else {}) | fields
    kept = {name: value for name, value in config.items() if value is not None}
    path.write_text(json.dumps(kept))


def shard(model: Path, parts: int = 3) -> dict[str, str]:
    """Cut a checkpoint's only file into shards with an index; the file of every tensor."""
    tensors = load_file(model / "model.safetensors")
    names = sorted(tensors)
    places = {name: f"model-{n % parts + 1:05d}.safetensors" for n, name in enumerate(names)}
    for file in set(places.values()):
        part = {name: tensors[name] for name in names if places[name] == file}
        save_file(part, model / file, {"format": "pt"})
    (model / "model.safetensors").unlink()
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return places
