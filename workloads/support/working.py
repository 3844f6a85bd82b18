"""Working directories that carry our marker, one writer per directory, and names that are free.

Whatever is removed beside or inside a directory of the user's was made here and says so.
"""

import contextlib
import errno
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import filelock

from workloads.support.errors import InputError
from workloads.support.files import sync_directory, write_atomic

MARKER = ".sslc-working"
_CONTENT = json.dumps({"format": "sslc-working"}).encode() + b"\n"


def resolved(target: Path) -> Path:
    """Where a directory really lies: what a link points to is written, not the link.

    Raises:
        InputError: It cannot be the name of a directory of ours, or is a link that leads to itself.
    """
    try:
        real = Path(os.path.realpath(target))
        loops = real.is_symlink()
    except ValueError as error:
        raise InputError(f"{target}: not a file name ({error})") from error
    except OSError as error:
        raise _refused(target, error) from error
    if loops:
        raise _refused(target, OSError(errno.ELOOP, os.strerror(errno.ELOOP)))
    if not real.name:
        raise InputError(f"{target}: the root of all files; give a directory in it")
    return real


def check_writable(directory: Path) -> None:
    """Try a file where a directory is, or would be made; nothing of it stays.

    Raises:
        InputError: The system refuses; in its words.
    """
    place = resolved(directory)
    try:
        _try_a_file(place)
    except OSError as error:
        raise _refused(directory, error) from error


def _try_a_file(place: Path) -> None:
    """Write a nameless file into a directory, or where it would be made."""
    while not _is_there(place):
        place = place.parent
    with tempfile.TemporaryFile(dir=place):
        pass


def _is_there(path: Path) -> bool:
    """Whether a path exists; unlike ``Path.exists``, anything but absence is an error."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True


def _refused(directory: Path, error: OSError) -> InputError:
    return InputError(f"{directory}: cannot be written to ({error.strerror})")


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
        InputError: Another run is writing there, or the system refuses.
    """
    place = resolved(target)
    lock = place.with_name(f".{place.name}.lock")
    with locked(lock, target):
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)  # whoever waits for the file that goes asks again


@contextlib.contextmanager
def locked(path: Path, target: Path) -> Iterator[None]:
    """Hold a file by its lock, which goes with the process that has it.

    Args:
        path: The file; it and its directory are made if they are not there.
        target: The directory that it stands for.

    Raises:
        InputError: Another process has it, or the system refuses to make it.
    """
    lock = filelock.FileLock(path)
    try:
        _try_a_file(path.parent)  # filelock takes the refusal of /proc for a file that others hold
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except filelock.Timeout as error:
        raise InputError(f"{target}: another run is writing there; wait for it to end") from error
    except OSError as error:
        raise _refused(target, error) from error
    try:
        yield
    finally:
        lock.release()
