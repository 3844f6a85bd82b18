"""How figures are written."""

from pathlib import Path

from matplotlib.figure import Figure


def write_figure(figure: Figure, directory: Path, name: str) -> list[Path]:
    """Write a figure as PNG and SVG; returns the paths."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / f"{name}.{suffix}" for suffix in ("png", "svg")]
    for path in paths:
        figure.savefig(path, dpi=160)
    return paths
