"""A dense checkpoint of safetensors files, read tensor by tensor: it is never whole in memory."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open

from sslc.model.config import load_config
from sslc.model.source import TORCH_DTYPES
from workloads.support.errors import InputError
from workloads.support.files import LazyTensors, open_tensors, sha256_file

COMPANIONS = ("*.json", "*.jinja", "tokenizer.model", "merges.txt", "vocab.txt")


@dataclass(frozen=True)
class Checkpoint:
    """An opened dense checkpoint: safetensors files, configuration and tokenizer.

    Attributes:
        name: What the user called it, without local folders.
        directory: Where its files are.
        files: Tensor name to the file that holds it.
        dtypes: Tensor name to its safetensors dtype.
    """

    name: str
    directory: Path
    files: Mapping[str, Path]
    dtypes: Mapping[str, str]

    def names(self) -> frozenset[str]:
        """Every tensor's name."""
        return frozenset(self.files)

    def tensor(self, name: str) -> torch.Tensor:
        """One dense tensor on the CPU, in its stored dtype.

        Raises:
            InputError: There is no such tensor, or its dtype is not a floating-point one we read.
        """
        self._check(name)
        with safe_open(self.files[name], framework="pt") as stream:
            tensor: torch.Tensor = stream.get_tensor(name)
        return tensor

    def arrays(self, names: Iterable[str]) -> LazyTensors:
        """Tensors that are memory-mapped when they are asked for.

        Raises:
            InputError: As ``tensor``.
        """
        names = tuple(names)
        for name in names:
            self._check(name)
        opened = {file: open_tensors(file) for file in set(self.files.values())}
        return LazyTensors({name: opened[self.files[name]] for name in names})

    def _check(self, name: str) -> None:
        if name not in self.files:
            raise InputError(f"{self.directory}: tensor {name!r} is missing")
        if self.dtypes[name] not in TORCH_DTYPES:
            raise InputError(
                f"{self.files[name]}: tensor {name!r} has dtype {self.dtypes[name]}; "
                f"weights must be {', '.join(TORCH_DTYPES)}"
            )

    def sha256(self) -> str:
        """Hash of the configuration and of every weight file, in name order."""
        digest = hashlib.sha256()
        files = sorted(set(self.files.values()))
        for file in (self.directory / "config.json", *files):
            digest.update(f"{file.name} {sha256_file(file)}\n".encode())
        return digest.hexdigest()

    @property
    def projection_dtype(self) -> str:
        """Safetensors dtype of the projections; F32 where there are none."""
        names = (name for name in sorted(self.names()) if name.endswith("q_proj.weight"))
        return self.dtypes.get(next(names, ""), "F32")

    def companions(self) -> tuple[Path, ...]:
        """Configuration and tokenizer files, which an artifact copies."""
        files = {file for pattern in COMPANIONS for file in self.directory.glob(pattern)}
        return tuple(sorted(file for file in files if not file.name.endswith(".index.json")))


def open_directory(directory: Path, name: str) -> Checkpoint:
    """A local Hugging Face directory as a checkpoint.

    Args:
        directory: With a configuration and safetensors files.
        name: What the user called the model.

    Raises:
        InputError: A file is missing or broken, or the family is not supported.
    """
    if not (directory / "config.json").is_file():
        raise InputError(f"{directory}: not a model directory (no config.json)")
    weights = sorted(directory.glob("*.safetensors"))
    if not weights:
        raise InputError(
            f"{directory}: no *.safetensors; pickled weights (*.bin) are not read, "
            "save the model again with transformers' save_pretrained"
        )
    opened = [open_tensors(file) for file in weights]
    files = {tensor: stored.path for stored in opened for tensor in stored.tensors}
    dtypes = {tensor: info.dtype for stored in opened for tensor, info in stored.tensors.items()}
    load_config(directory)
    return Checkpoint(name, directory, files, dtypes)
