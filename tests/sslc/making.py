"""Small artifacts for tests: how they are made, and what of them is compared."""

from pathlib import Path
from typing import Any

from sslc.calibration.windows import Calibration
from sslc.compression.block_loop import compress_checkpoint
from sslc.compression.output import Output
from sslc.methods.registry import load_method
from sslc.model.opening import open_checkpoint
from workloads.artifact.read import Artifact

SONNETS = Path(__file__).with_name("sonnets.txt")
"""A text that is tokenised in no time."""
CUT = Calibration(str(SONNETS), windows=2, window_tokens=32)


def make_artifact(
    model: Path, out: Path, *, method: str = "sslc", settings: dict[str, Any] | None = None
) -> Artifact:
    """A model compressed by a method."""
    named = load_method(method, settings or {})
    checkpoint = open_checkpoint(str(model))
    return compress_checkpoint(checkpoint, named, calibration=CUT, output=Output(out))


def tree_bytes(directory: Path) -> dict[str, bytes]:
    """Every file under a directory, by its path in it."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}
