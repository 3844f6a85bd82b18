"""A dense checkpoint of safetensors files, read tensor by tensor: it is never whole in memory."""

import functools
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import safe_open

from sslc.model.companions import read_companions
from sslc.model.config import load_config, read_fields
from sslc.model.families import common_name, filed_name
from sslc.model.foreign import check_no_adapter, check_plain, quantisation_of
from sslc.model.shapes import Shapes, check_shapes
from sslc.model.source import TORCH_DTYPES
from workloads.support.errors import InputError
from workloads.support.files import LazyTensors, TensorFile, sha256_file
from workloads.support.weight_files import open_weights


@dataclass(frozen=True)
class Checkpoint:
    """An opened dense checkpoint: safetensors files, configuration and tokenizer.

    Attributes:
        name: What the user called it, without local folders.
        directory: Where its files are.
        stored: Tensor name to the file that holds it, both as other families name tensors
            (``families.common_name``).
    """

    name: str
    directory: Path
    stored: Mapping[str, TensorFile]

    @functools.cached_property
    def _model_type(self) -> str:
        return str(load_config(self.directory).model_type)

    def names(self) -> frozenset[str]:
        """Every tensor's name."""
        return frozenset(self.stored)

    @functools.cached_property
    def dtypes(self) -> Mapping[str, str]:
        """Tensor name to its safetensors dtype."""
        return {name: file.tensors[name].dtype for name, file in self.stored.items()}

    def shapes(self) -> Shapes:
        """Shape of every tensor by name."""
        return {name: file.tensors[name].shape for name, file in self.stored.items()}

    def tensor(self, name: str) -> torch.Tensor:
        """One dense tensor on the CPU, in its stored dtype.

        Raises:
            InputError: There is no such tensor, or its dtype is not a floating-point one we read.
        """
        self._check(name)
        with safe_open(self.stored[name].path, framework="pt") as stream:
            tensor: torch.Tensor = stream.get_tensor(filed_name(self._model_type, name))
        return tensor

    def arrays(self, names: Iterable[str]) -> LazyTensors:
        """Tensors that are memory-mapped when they are asked for.

        Raises:
            InputError: As ``tensor``.
        """
        names = tuple(names)
        for name in names:
            self._check(name)
        return LazyTensors({name: self.stored[name] for name in names})

    def _check(self, name: str) -> None:
        if name not in self.stored:
            raise InputError(f"{self.directory}: tensor {name!r} is missing")
        if self.dtypes[name] not in TORCH_DTYPES:
            raise InputError(
                f"{self.stored[name].path}: tensor {name!r} has dtype {self.dtypes[name]}; "
                f"weights must be {', '.join(TORCH_DTYPES)}"
            )

    def sha256(self) -> str:
        """Hash of the configuration and of every weight file, in name order."""
        digest = hashlib.sha256()
        files = sorted({file.path for file in self.stored.values()})
        for file in (self.directory / "config.json", *files):
            digest.update(f"{file.name} {sha256_file(file)}\n".encode())
        return digest.hexdigest()

    @property
    def projection_dtype(self) -> str:
        """Safetensors dtype of the projections; F32 where there are none."""
        names = (name for name in sorted(self.names()) if name.endswith("o_proj.weight"))
        return self.dtypes.get(next(names, ""), "F32")

    def companions(self) -> Mapping[str, bytes]:
        """Configuration and tokenizer files by name, which an artifact takes along.

        Raises:
            InputError: One cannot be taken.
        """
        return read_companions(self.directory)


def open_directory(directory: Path, name: str) -> Checkpoint:
    """A local Hugging Face directory as a checkpoint.

    Args:
        directory: With a configuration and safetensors files.
        name: What the user called the model.

    Raises:
        InputError: A file is missing or broken, the family is not supported, or the tensors are
            not what the configuration implies.
    """
    check_no_adapter(directory)
    if not (directory / "config.json").is_file():
        raise InputError(f"{directory}: not a model directory (no config.json)")
    config = load_config(directory)
    stored = _commonly_named(config.model_type, open_weights(directory))
    if not stored:
        raise InputError(
            f"{directory}: no *.safetensors; pickled weights (*.bin) are not read, "
            "save the model again with transformers' save_pretrained"
        )
    checkpoint = Checkpoint(name, directory, stored)
    check_plain(directory, checkpoint.dtypes, quantisation_of(read_fields(directory)))
    check_shapes(directory, config, checkpoint.shapes())
    return checkpoint


def _commonly_named(model_type: str, stored: Mapping[str, TensorFile]) -> Mapping[str, TensorFile]:
    """The tensors by the names that other families give them; most families' names are those."""
    names = {name: common_name(model_type, name) for name in stored}
    if all(name == common for name, common in names.items()):
        return stored
    files = {
        file.path: replace(
            file,
            tensors={common_name(model_type, name): info for name, info in file.tensors.items()},
        )
        for file in stored.values()
    }
    return {common: files[stored[name].path] for name, common in names.items()}
