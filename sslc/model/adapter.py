"""A sparse base with its LoRA adapter, as ``export_adapter`` writes it, seen as one model."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sslc.model.checkpoint import Checkpoint
from sslc.model.shapes import Shapes
from sslc.model.weights import to_torch
from workloads.support.errors import InputError, shown
from workloads.support.files import TensorFile, open_tensors, read_json

FOLDER = "adapter"
CONFIG = "adapter_config.json"
TENSORS = "adapter_model.safetensors"
_PREFIX, _A, _B = "base_model.model.", ".lora_A.weight", ".lora_B.weight"


def lora_settings(ranks: Mapping[str, int]) -> dict[str, Any]:
    """The fields of a PEFT LoRA configuration under which every scale is 1.

    Args:
        ranks: Rank of each adapted module, by its name in the base.
    """
    return {
        "task_type": "CAUSAL_LM",
        "r": max(ranks.values()),
        "lora_alpha": max(ranks.values()),
        "rank_pattern": dict(ranks),
        "alpha_pattern": dict(ranks),
        "target_modules": sorted(ranks),
        "lora_dropout": 0.0,
        "bias": "none",
    }


def factor_names(module: str) -> tuple[str, str]:
    """Names of a module's A (r×n) and B (m×r) in PEFT's file."""
    return _PREFIX + module + _A, _PREFIX + module + _B


@dataclass(frozen=True)
class AdaptedWeights:
    """A checkpoint with a LoRA adapter in its folder ``adapter`` as dense tensors by name.

    A ``WeightSource``: each adapted weight is W + (alpha / r) B A, made when it is read.

    Attributes:
        base: The checkpoint.
    """

    base: Checkpoint

    @property
    def directory(self) -> Path:
        """Where the configuration and tokenizer files lie."""
        return self.base.directory

    @property
    def adapter(self) -> Path:
        """Where the adapter lies."""
        return self.directory / FOLDER

    def names(self) -> frozenset[str]:
        """Every tensor's name."""
        return self.base.names()

    def shapes(self) -> Shapes:
        """Shape of every tensor by name."""
        return self.base.shapes()

    def tensor(self, name: str) -> torch.Tensor:
        """One dense tensor on the CPU; in float32 where the adapter adds to it.

        Raises:
            InputError: There is no such tensor, or the adapter is not plain LoRA on the base.
        """
        weight, scales = self.base.tensor(name), self._scales
        module = name.removesuffix(".weight")
        if module not in scales:
            return weight
        a, b = (to_torch(self._file.read(part)).float() for part in factor_names(module))
        plain = a.ndim == b.ndim == 2 and len(a) == b.shape[1] > 0
        if not plain or (len(b), a.shape[1]) != tuple(weight.shape):
            raise InputError(
                f"{self.adapter}: {module} has A {list(a.shape)} and B {list(b.shape)}, "
                f"the weight is {list(weight.shape)}"
            )
        return torch.addmm(weight.float(), b, a, alpha=scales[module] / len(a))

    @functools.cached_property
    def _file(self) -> TensorFile:
        return open_tensors(self.adapter / TENSORS)

    @functools.cached_property
    def _scales(self) -> dict[str, float]:
        """Alpha of each adapted module, by its name in the base."""
        config, names = _settings(self.adapter / CONFIG), self.base.names()
        modules = {name.removeprefix(_PREFIX).removesuffix(_A) for name in self._file.tensors}
        modules = {module for module in modules if not module.endswith(_B)}
        expected = {name for module in modules for name in factor_names(module)}
        patterns = config.get("alpha_pattern") or {}
        if (
            expected != set(self._file.tensors)
            or not {f"{module}.weight" for module in modules} <= names
            or not set(patterns) <= modules
            or any(config.get(name) for name in ("use_rslora", "fan_in_fan_out"))
        ):
            raise InputError(
                f"{self.adapter}: not a plain LoRA adapter of {self.directory}'s projections "
                "with alpha by full names; merge it with PEFT and give the merged model"
            )
        return {module: patterns.get(module, config["lora_alpha"]) for module in modules}


def _settings(path: Path) -> dict[str, Any]:
    """An adapter's configuration, its scales numbers."""
    config = read_json(path)
    if not isinstance(config, dict):
        raise InputError(f"{path}: not an object of settings")
    patterns = config.get("alpha_pattern") or {}
    if not isinstance(patterns, dict):
        raise InputError(f"{path}: alpha_pattern must be an object, got {shown(patterns)}")
    for name, alpha in {**patterns, "lora_alpha": config.get("lora_alpha")}.items():
        if isinstance(alpha, bool) or not isinstance(alpha, int | float):
            raise InputError(f"{path}: alpha {shown(name)} must be a number, got {shown(alpha)}")
    return config
