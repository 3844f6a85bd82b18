"""Putting a new artifact in an old one's place: what was written by us goes, the user's files stay.

The old directory steps aside under a fresh name, marked as replaced; the new one takes its name;
then our files in the old one are removed and all others move over. A kill in between loses nothing:
the next run goes on with the marked directory.
"""

import contextlib
import glob
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

from workloads.artifact.manifest import FORMAT, check_manifest
from workloads.artifact.read import MANIFEST
from workloads.support.errors import InputError, InputWarning
from workloads.support.files import read_json, sync_directory, write_atomic
from workloads.support.working import MARKER, fresh_name, unmark

REPLACED = ".sslc-replaced"
RESULTS = "results"
_RESULT_FORMAT = "sslc-result"


def is_artifact(directory: Path) -> bool:
    """Whether a directory has an artifact's manifest; others have files of that name too."""
    return _format(directory / MANIFEST) == FORMAT


def move_into_place(partial: Path | None, target: Path) -> None:
    """Put a finished directory where it belongs, and clear away what it replaces.

    Args:
        partial: Finished and marked as ours; None: only clear what an earlier run left.
        target: Where it belongs; not a link.
    """
    if partial is not None:
        if target.exists():
            write_atomic(target / REPLACED, b"")
            target.rename(fresh_name(target, "replaced"))
        partial.rename(target)
        sync_directory(target.parent)
    if (target / MARKER).exists() and is_artifact(target):
        unmark(target)
    if target.is_dir():
        for old in sorted(target.parent.glob(f"{glob.escape(target.name)}.replaced-*")):
            if _is_replaced(old):
                _clear(old, target)


def _is_replaced(directory: Path) -> bool:
    """Whether it carries our marker; an empty directory has nothing to lose."""
    if directory.is_symlink() or not directory.is_dir():
        return False
    return (directory / REPLACED).is_file() or not any(directory.iterdir())


def _clear(old: Path, target: Path) -> None:
    """Remove our files from a replaced artifact and move the others into the new one."""
    for path in _ours(old):
        if not path.parent.is_symlink():
            path.unlink(missing_ok=True)
    for folder, folders, names in os.walk(old, topdown=False):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for path in (Path(folder, name) for name in [*names, *links]):
            if path != old / REPLACED:
                _move(path, target / path.relative_to(old))
        with contextlib.suppress(OSError):  # it still holds something
            Path(folder).rmdir()
    (old / REPLACED).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        old.rmdir()
    if old.exists():
        warnings.warn(
            f"{old} keeps files of the replaced directory whose names the new one has too",
            InputWarning,
            stacklevel=2,
        )


def _move(path: Path, to: Path) -> None:
    with contextlib.suppress(OSError):  # it stays where it is, and the user is told
        to.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(to):
            path.rename(to)


def _ours(directory: Path) -> Iterator[Path]:
    """Files that we wrote: those of the manifest, results, and last the manifest itself."""
    manifest = directory / MANIFEST
    try:
        content = read_json(manifest)
        check_manifest(content, manifest)
    except InputError:
        return
    for entry in [*content["blocks"], content["rest"], *content["files"]]:
        yield directory / entry["file"]
    for path in directory.glob(f"{RESULTS}/*.json"):
        if _format(path) == _RESULT_FORMAT:
            yield path
    yield directory / MARKER
    yield manifest


def _format(path: Path) -> object:
    try:
        content = read_json(path)
    except InputError:
        return None
    return content.get("format") if isinstance(content, dict) else None
