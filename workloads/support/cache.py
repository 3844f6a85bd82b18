"""A cache of our own: private by its permissions, and checked by hashes before it is trusted."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

import filelock

from workloads.support.errors import InputError
from workloads.support.files import read_json, sha256_file, write_json

_HASHES = "sha256.json"
_PARTIAL = ".partial-"
_LOCK = ".lock"


def cached(name: str, make: Callable[[Path], None]) -> Path:
    """An entry of the cache, made now if it is not there or not what was made.

    Args:
        name: Of the entry, a directory.
        make: Writes its files into a directory. One run makes an entry at a time, another one may
            make another; what a killed run left of it is removed first.

    Raises:
        InputError: The cache cannot be written, or belongs to somebody else.
    """
    cache = _directory()
    target = cache / name
    lock, left = cache / f"{name}{_LOCK}", f"{name}{_PARTIAL}*"
    if _is_whole(target) and not any(cache.glob(left)):
        return target
    with filelock.FileLock(lock, mode=0o600):
        try:
            for partial in cache.glob(left):
                shutil.rmtree(partial)
            if not _is_whole(target):
                _make(target, make)
        finally:
            lock.unlink(missing_ok=True)  # whoever waits for what goes asks again
    return target


def is_cached(name: str) -> bool:
    """Whether an entry is there and whole, so that ``cached`` would not make it."""
    return _is_whole(cache_path() / name)


def _make(target: Path, make: Callable[[Path], None]) -> None:
    partial = target.with_name(f"{target.name}{_PARTIAL}{secrets.token_hex(6)}")
    partial.mkdir(mode=0o700)
    try:
        make(partial)
        write_json(partial / _HASHES, _hashes(partial))
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def cache_path() -> Path:
    """Where the cache is, or would be."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sslc"


def _directory() -> Path:
    """The cache's directory, which only its owner may enter."""
    cache = cache_path()
    try:
        cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        if cache.stat().st_uid != os.getuid():
            raise InputError(f"{cache} belongs to another user; set XDG_CACHE_HOME to your own")
        cache.chmod(0o700)
    except OSError as error:
        raise InputError(f"{cache}: {error.strerror}; set XDG_CACHE_HOME") from error
    return cache


def _is_whole(entry: Path) -> bool:
    """Whether an entry holds what was made: its files, all of them, by their hashes."""
    with contextlib.suppress(OSError, InputError):
        if entry.is_symlink() or entry.stat().st_uid != os.getuid():
            return False
        recorded = read_json(entry / _HASHES)
        return bool(recorded) and recorded == _hashes(entry)
    return False


def _hashes(entry: Path) -> dict[str, str]:
    files = (path for path in entry.rglob("*") if path.is_symlink() or path.is_file())
    return {
        str(path.relative_to(entry)): sha256_file(path) for path in files if path.name != _HASHES
    }
