"""What the programs that measure one cell after the other share."""

import dataclasses
import sys
from pathlib import Path

from workloads.results.identity import Provenance, provenance
from workloads.support.progress import Progress


def measured_here() -> Provenance:
    """Of what is measured now; the command has the names of files, not where they lie."""
    made = provenance()
    words = (Path(word).name if "/" in word else word for word in made.command.split(" "))
    return dataclasses.replace(made, command=" ".join(words))


def told(label: str) -> Progress:
    """Progress as lines on standard error.

    Args:
        label: What stands before each.
    """

    def progress(stage: str, done: int, total: int) -> None:
        print(f"{label}: {stage} {done}/{total}", file=sys.stderr, flush=True)

    return progress
