"""Working directories that carry our marker, one writer per directory, and names that are free.

Whatever is removed beside or inside a directory of the user's was made here and says so.
"""

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import filelock

from workloads.support.errors import InputError
from workloads.support.files import sync_directory, write_atomic

MARKER = ".sslc-working"
_CONTENT = json.dumps({"format": "sslc-working"}).encode() + b"\n"


def resolved(target: Path) -> Path:
    """Where a directory really lies: what a link points to is written, not the link."""
    try:
        return Path(os.path.realpath(target))
    except ValueError as error:
        raise InputError(f"{target}: not a file name ({error})") from error


def fresh_name(beside: Path, word: str) -> Path:
    """A name beside a path that nothing has, such as ``model.replaced-3f9a21c04be8``."""
    return beside.with_name(f"{beside.name}.{word}-{secrets.token_hex(6)}")


def is_working(directory: Path) -> bool:
    """Whether a directory is one of ours: it carries the marker."""
    marker = directory / MARKER
    with contextlib.suppress(OSError):
        return not directory.is_symlink() and marker.is_file() and marker.read_bytes() == _CONTENT
    return False


def mark(directory: Path) -> None:
    """Make a directory one of ours; it is made if it is not there."""
    directory.mkdir(parents=True, exist_ok=True)
    write_atomic(directory / MARKER, _CONTENT)


def unmark(directory: Path) -> None:
    """What was made in a working directory is the user's now."""
    (directory / MARKER).unlink(missing_ok=True)
    sync_directory(directory)


def check_working(directory: Path) -> None:
    """Refuse a directory that stands where a working directory goes, and is not one of ours.

    Raises:
        InputError: It is somebody else's; an empty directory is nobody's.
    """
    if not os.path.lexists(directory) or is_working(directory):
        return
    real = directory.is_dir() and not directory.is_symlink()
    if not real or any(directory.iterdir()):
        raise InputError(
            f"{directory} stands where the work in progress goes, and was not made by sslc "
            f"(it has no {MARKER}); rename it, or give another --out"
        )


def remove_working(directory: Path) -> None:
    """Remove a working directory of ours, if it is there.

    Raises:
        InputError: As for ``check_working``.
    """
    check_working(directory)
    if directory.exists():
        shutil.rmtree(directory)


@contextlib.contextmanager
def one_writer(target: Path) -> Iterator[None]:
    """Hold a directory that is being written, or is about to be made.

    The lock is a file beside it, ``.NAME.lock``, which goes with the process that holds it.

    Args:
        target: The directory.

    Raises:
        InputError: Another run is writing there.
    """
    target = resolved(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    path = target.with_name(f".{target.name}.lock")
    lock = filelock.FileLock(path)
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout as error:
        raise InputError(f"{target}: another run is writing there; wait for it to end") from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # whoever waits for the file that goes asks again
        lock.release()
