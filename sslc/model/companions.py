"""The files beside the weights that an artifact or an export takes along: a fixed list.

Whatever else lies there is another program's. Fields that would make a loader quantise the model
or look for Python files are left out; a file without them keeps its bytes.
"""

import json
from collections.abc import Collection, Mapping
from pathlib import Path

from workloads.support.errors import InputError
from workloads.support.files import read_json
from workloads.support.reading import read_bytes

CONFIG = "config.json"
COMPANIONS = (
    CONFIG,
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
)
FOREIGN_FIELDS = ("quantization_config", "compression_config", "auto_map")
_WITH_FIELDS = (CONFIG, "generation_config.json", "tokenizer_config.json")


def read_companions(directory: Path, names: Collection[str] = COMPANIONS) -> Mapping[str, bytes]:
    """The companion files that a directory has, by name, without foreign fields.

    Args:
        directory: Of a checkpoint or an artifact.
        names: Those that may be taken; what is not on the list never is.

    Raises:
        InputError: One is a link to somewhere else, not a regular file, or not the JSON it must be.
    """
    return {
        name: _content(directory / name)
        for name in COMPANIONS
        if name in names and _is_there(directory / name)
    }


def _is_there(path: Path) -> bool:
    """Whether a companion is there; a link may lead to files beside it or to the hub's store."""
    if path.is_symlink():
        folder, real = path.parent.resolve(), path.resolve()
        stores = (folder, folder.parent.parent / "blobs")
        if not any(real.is_relative_to(store) for store in stores):
            raise InputError(f"{path}: a link out of its directory is not followed; copy the file")
    return path.exists()


def _content(path: Path) -> bytes:
    data = read_bytes(path)
    if path.name not in _WITH_FIELDS:
        return data
    fields = read_json(path)
    if not isinstance(fields, dict):
        raise InputError(f"{path}: not an object of settings")
    kept = {key: value for key, value in fields.items() if key not in FOREIGN_FIELDS}
    return data if kept == fields else (json.dumps(kept, indent=2) + "\n").encode()
