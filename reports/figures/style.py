"""How figures are written."""

import io
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.text import Text

from workloads.support.files import write_atomic

_METADATA = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}
"""What formats say of themselves: nothing that differs from one run to the next."""
_OF_TICKS = r"$\mathdefault{"


def write_figure(figure: Figure, directory: Path, name: str) -> list[Path]:
    """Write a figure as PNG and SVG, atomically and without dates; returns the paths."""
    directory.mkdir(parents=True, exist_ok=True)
    _take_literally(figure)
    paths = []
    for form, metadata in _METADATA.items():
        stream = io.BytesIO()
        with mpl.rc_context({"svg.hashsalt": name}):
            figure.savefig(stream, format=form, dpi=160, metadata=metadata)
        paths.append(directory / f"{name}.{form}")
        write_atomic(paths[-1], stream.getvalue())
    return paths


def _take_literally(figure: Figure) -> None:
    """A dollar sign in a name is no mathematics; what matplotlib writes at ticks is."""
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        if "$" in text.get_text() and not text.get_text().startswith(_OF_TICKS):
            text.set_parse_math(False)
