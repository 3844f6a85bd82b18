"""What files and folders hold, as one hash: by their content, wherever they lie."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from workloads.artifact.read import MANIFEST
from workloads.results.identity import digest
from workloads.support.files import sha256_file
from workloads.support.presets import read_toml

_FOUND_IN_TOML = 200
_LONGEST_PATH = 1024


def fingerprint(path: Path) -> str:
    """Hex SHA-256 of what a path holds; of nothing where there is nothing.

    Of an artifact its manifest stands for its tensors, whose hashes it has and which every command
    compares; they must be there in their sizes. A TOML file stands with the files that it names.

    Args:
        path: A file or a folder.
    """
    if path.is_dir():
        return digest(
            [[str(each.relative_to(path)), _content(path, each)] for each in _files(path)]
        )
    if not path.is_file():
        return ""
    if path.suffix != ".toml":
        return sha256_file(path)
    named = [path.parent / text for text in _texts(read_toml(path))][:_FOUND_IN_TOML]
    others = [fingerprint(each) for each in named if each.exists() and each != path]
    return digest([sha256_file(path), *others])


def _files(folder: Path) -> Iterator[Path]:
    yield from (each for each in sorted(folder.rglob("*")) if each.is_file())


def _content(folder: Path, file: Path) -> str | int:
    """A file's hash; of a tensor file that a manifest vouches for, its size."""
    above: Iterable[Path] = file.parents
    vouched = any((each / MANIFEST).is_file() for each in above if each.is_relative_to(folder))
    if vouched and file.suffix == ".safetensors":
        return file.stat().st_size
    return sha256_file(file)


def _texts(value: object) -> list[str]:
    """Strings in a parsed file that could be paths."""
    if isinstance(value, str):
        return [value] if value and len(value) < _LONGEST_PATH and "\0" not in value else []
    if not isinstance(value, dict | list):
        return []
    items = value.values() if isinstance(value, dict) else value
    return [text for item in items for text in _texts(item)]
