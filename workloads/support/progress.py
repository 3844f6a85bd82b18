"""How long work reports where it is; the command line draws it, libraries may ignore it."""

import contextlib
from collections.abc import Callable, Iterator

Progress = Callable[[str, int, int], None]
"""Called with the stage's name, the steps that are done, and all steps of the stage."""


def silent(stage: str, done: int, total: int) -> None:
    """Report nothing."""
    del stage, done, total


_hearing: list[Callable[[], None]] = []


@contextlib.contextmanager
def hearing_of_compiling(tell: Callable[[], None]) -> Iterator[None]:
    """Have something called each time that a compiled function is not in numba's cache.

    Args:
        tell: Called before it is compiled, which can take a while.
    """
    _hearing.append(tell)
    try:
        yield
    finally:
        _hearing.remove(tell)


def compiling() -> None:
    """Tell all who want to hear that something is compiled now."""
    for tell in _hearing:
        tell()
