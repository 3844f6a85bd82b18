"""Where an artifact goes, in which dtype, and what may happen to what stands there."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec

from sslc.model.checkpoint import Checkpoint
from sslc.model.source import TORCH_DTYPES
from workloads.artifact.read import (
    Artifact,
    Settings,
    open_artifact,
)
from workloads.artifact.write import rename_into_place
from workloads.support.errors import InputError
from workloads.support.working import (
    check_working,
    is_working,
    mark,
    one_writer,
    remove_working,
    resolved,
)

P = ParamSpec("P")


@dataclass(frozen=True)
class Output:
    """Where an artifact goes and what may happen to what stands there."""

    directory: Path
    dtype: str = "auto"
    resume: bool = False
    overwrite: bool = False


def one_run(run: Callable[P, Artifact]) -> Callable[P, Artifact]:
    """Let a function hold the directory of its argument ``output`` while it runs."""

    @functools.wraps(run)
    def held(*arguments: P.args, **named: P.kwargs) -> Artifact:
        output = named["output"]
        assert isinstance(output, Output)
        with one_writer(output.directory):
            return run(*arguments, **named)

    return held


def stored_dtype(checkpoint: Checkpoint, dtype: str) -> str:
    """The dtype in which an artifact is stored; ``auto`` is that of the checkpoint's projections.

    Raises:
        InputError: It is not one in which we store.
    """
    if dtype == "auto":
        dtype = checkpoint.projection_dtype
    if dtype not in TORCH_DTYPES:
        raise InputError(f"dtype {dtype} cannot be stored; give one of {', '.join(TORCH_DTYPES)}")
    return dtype


def finished_artifact(output: Output, settings: Settings) -> Artifact | None:
    """The artifact that stands there already, if it was made under the same settings.

    Raises:
        InputError: It was made under others and may not be replaced.
    """
    rename_into_place(output.directory)
    if not output.directory.exists():
        return None
    artifact = open_artifact(output.directory)
    if artifact.settings == settings:
        return artifact
    if output.overwrite:
        return None
    raise InputError(
        f"{output.directory} is finished, but was made with other settings; --overwrite replaces it"
    )


def work_beside(target: Path) -> Path:
    """``DIR.refining``: where a refinement keeps what only it needs until the artifact is done."""
    directory = resolved(target)
    return directory.with_name(f"{directory.name}.refining")


def begin_work(work: Path, *, continued: bool) -> None:
    """Make a directory of work ours, empty unless a run goes on.

    Raises:
        InputError: Something that we did not make stands there.
    """
    check_working(work)
    if not continued:
        remove_working(work)
    mark(work)


def forget(work: Path) -> None:
    """Remove a directory of work, if it is there and ours."""
    if is_working(work):
        remove_working(work)
