"""Finished cells: one file each, named by a hash of all that determines it.

A cell is computed once, so an interrupted table goes on, and tables share what they have in common.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from workloads.results.envelope import result_from_json, result_to_json
from workloads.results.identity import digest
from workloads.results.kinds import Result, identity_sha256
from workloads.support.errors import InputError
from workloads.support.files import read_json, write_atomic

CELLS = "cells"
R = TypeVar("R", bound=Result)


def cached(directory: Path, cls: type[R], *, identity: Any, compute: Callable[[], R]) -> R:
    """A cell from its file, computed and written if there is none.

    Args:
        directory: Of the study; the file is in its ``cells``.
        cls: What the cell is.
        identity: All that determines it, as ``cls.identity`` holds it.
        compute: Makes the cell, with that identity.

    Returns:
        The cell as it is read from its file, so that a second run has the same values.

    Raises:
        InputError: The file is not a whole cell with this identity.
    """
    sha256 = digest({"kind": cls.KIND, "identity": identity})
    path = directory / CELLS / f"{cls.KIND.replace('_', '-')}-{sha256[:16]}.json"
    if not path.is_file():
        text = json.dumps(result_to_json(compute()), indent=1, allow_nan=False)  # in its order
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text.encode())
    cell: R = result_from_json(read_json(path), (cls,), str(path))
    if identity_sha256(cell) != sha256:
        raise InputError(f"{path}: a cell of another identity; remove the file to make it anew")
    return cell
