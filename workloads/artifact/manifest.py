"""The manifest's form: its versions and its JSON Schema. Below ``read``."""

import functools
import hashlib
import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema

from workloads.support.errors import InputError, shown

FORMAT = "sslc-artifact"
VERSION = 3
HASH = "sha256"
"""Key of the manifest's own hash: of all that stands beside it."""
READABLE = (1, 2, 3)
"""Version 1 has no hashes of tensors, 1 and 2 store every projection in the artifact's dtype."""
HASHED = 2
"""The first version with hashes of tensors."""


def digest(manifest: Mapping[str, Any]) -> str:
    """Hex SHA-256 of a manifest's content, without its own hash."""
    content = {key: value for key, value in manifest.items() if key != HASH}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@functools.cache
def _schema() -> Any:
    text = (resources.files("workloads.artifact") / "artifact.schema.json").read_text(
        encoding="utf-8"
    )
    return json.loads(text)


def check_manifest(manifest: Any, path: Path) -> None:
    """Compare a parsed manifest with the schema that ships with the package.

    Args:
        manifest: Parsed JSON.
        path: Its file, for the error.

    Raises:
        InputError: It is not a manifest, of a version that is not read, or breaks the schema.
    """
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InputError(f"{path}: not an artifact's manifest (no format {FORMAT!r})")
    version = manifest.get("version")
    if isinstance(version, bool) or version not in READABLE:
        known = ", ".join(map(str, READABLE))
        raise InputError(f"{path}: version {shown(version)} is not supported; this reads {known}")
    error = jsonschema.exceptions.best_match(
        jsonschema.Draft202012Validator(_schema()).iter_errors(manifest)
    )
    if error is None and manifest.get(HASH, digest(manifest)) != digest(manifest):
        raise InputError(
            f"{path}: is damaged, or was edited (its {HASH} is not that of its content)"
        )
    if error is not None:
        raise InputError(f"{path}: {error.json_path}: {error.message[:300]}")
