"""How long work reports where it is; the command line draws it, libraries may ignore it."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with the stage's name, the steps that are done, and all steps of the stage."""


def silent(stage: str, done: int, total: int) -> None:
    """Report nothing."""
    del stage, done, total
