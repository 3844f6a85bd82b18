"""Sizes in bytes as people write them."""

import math

from workloads.support.errors import InputError

_BYTES = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12} | {
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40
}  # fmt: skip


def parse_bytes(size: str | int | None) -> int | None:
    """Bytes from a text such as ``4GiB``, ``800 MB`` or ``1000000``; None from None.

    Args:
        size: As people write it, or a number of bytes.

    Raises:
        InputError: It is not a positive number with one of the units.
    """
    if size is None:
        return None
    text = str(size).strip()
    number = text.rstrip("BGKMTik").strip()
    try:
        value = float(number) * _BYTES[text[len(number) :].strip()]
    except (ValueError, KeyError):
        value = 0.0
    if not 0 < value < math.inf:
        raise InputError(f"{size!r} is not a memory size; write one such as 4GiB, 800MB or 2e9")
    return int(value)
