"""The one palette, and how figures are written."""

from pathlib import Path

from matplotlib.figure import Figure

# Okabe and Ito's palette, which the colour-blind can tell apart; hatches and markers for print.
BLUE, ORANGE, GREEN, SKY, RED, YELLOW, PINK = (
    "#0072B2", "#E69F00", "#009E73", "#56B4E9", "#D55E00", "#F0E442", "#CC79A7",
)  # fmt: skip
GREY, LIGHT_GREY = "#999999", "#CCCCCC"
SERIES = ((BLUE, "o"), (RED, "s"), (GREEN, "^"), (PINK, "D"), (ORANGE, "v"), (SKY, "P"))
"""Colour and marker of one series after the other."""


def write_figure(figure: Figure, directory: Path, name: str) -> list[Path]:
    """Write a figure as PNG and SVG; returns the paths."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / f"{name}.{suffix}" for suffix in ("png", "svg")]
    for path in paths:
        figure.savefig(path, dpi=160)
    return paths
