"""Small files of a user's, read whole: only regular files, of a stated size, and text as UTF-8.

Below ``files`` and ``presets``. A byte order mark and the line ends of other systems are accepted.
"""

import os
import stat
from pathlib import Path

from workloads.support.errors import InputError

LARGEST_TEXT_BYTES = 256 << 20
"""Limit of a JSON file."""
LARGEST_TOML_BYTES = 16 << 20
"""Limit of a TOML file."""
_DEEPEST = 100


def check_regular(path: Path) -> None:
    """Refuse what is no file: a pipe would never end, a directory has no content.

    Raises:
        InputError: Nothing is there, it is not a regular file, or it may not be read.
    """
    os.close(_open_regular(path))


def read_bytes(path: Path, largest: int | None = None) -> bytes:
    """All bytes of a regular file.

    Args:
        path: The file.
        largest: Limit in bytes; None: none.

    Raises:
        InputError: As for ``check_regular``, or the file is larger than the limit.
    """
    with os.fdopen(_open_regular(path), "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if largest is not None and size > largest:
            raise InputError(f"{path}: {size:,} bytes are more than the limit of {largest:,}")
        try:
            return stream.read()
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from error


def read_text(path: Path, largest: int | None = None) -> str:
    """The text of a UTF-8 file, without a byte order mark, lines ending in a line feed.

    Args:
        path: The file.
        largest: Limit in bytes; None: none.

    Raises:
        InputError: As for ``read_bytes``, or the file is not UTF-8.
    """
    try:
        text = read_bytes(path, largest).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 ({error})") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def is_deep(value: object) -> bool:
    """Whether lists and tables are nested deeper than anything that is meant to be read."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(_DEEPEST):
        level = [
            item
            for outer in level
            for item in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True


def _open_regular(path: Path) -> int:
    """A descriptor; without waiting where a pipe has no writer."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path}: not a file name ({error})") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InputError(f"{path}: not a regular file; give a file, not a directory or a pipe")
    return descriptor
