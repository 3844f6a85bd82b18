"""Which safetensors files of a directory are a model, and where each tensor stands.

The index decides, where there is one; else ``model.safetensors``; else all files together. Stale
shards and other programs' files beside them are not read.
"""

from collections.abc import Mapping
from pathlib import Path

from workloads.support.errors import InputError, shown
from workloads.support.files import TensorFile, open_tensors, read_json

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"


def open_weights(directory: Path) -> Mapping[str, TensorFile]:
    """Every tensor of a model by name, with the file that it stands in; reads headers only.

    Args:
        directory: Of a Hugging Face checkpoint; the mapping is empty where it has no weights.

    Raises:
        InputError: The index is not one, a file that it names is missing or lacks a tensor, a
            tensor stands twice, or a file is broken.
    """
    if (directory / INDEX).exists():
        return _indexed(directory)
    single = directory / SINGLE
    files = [single] if single.exists() else sorted(directory.glob("*.safetensors"))
    tensors: dict[str, TensorFile] = {}
    for stored in map(open_tensors, files):
        for name in stored.tensors:
            if name in tensors:
                raise InputError(
                    f"{stored.path}: tensor {shown(name)} stands in {tensors[name].path.name} too; "
                    f"leave only the files of one model, or name them in {INDEX}"
                )
            tensors[name] = stored
    return tensors


def _indexed(directory: Path) -> Mapping[str, TensorFile]:
    path = directory / INDEX
    index = read_json(path)
    places = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(places, dict) or not places:
        raise InputError(f"{path}: not an index (no weight_map of tensors and files)")
    opened: dict[str, TensorFile] = {}
    for name, file in places.items():
        if not isinstance(file, str) or Path(file).name != file or not file:
            raise InputError(f"{path}: {shown(name)} is in no file beside it, got {shown(file)}")
        if file not in opened:
            try:
                opened[file] = open_tensors(directory / file)
            except InputError as error:
                raise InputError(f"{path}: {shown(name)} should be in {error}") from error
        if name not in opened[file].tensors:
            raise InputError(f"{directory / file}: has no {shown(name)}, which {INDEX} says it has")
    return {name: opened[file] for name, file in places.items()}
