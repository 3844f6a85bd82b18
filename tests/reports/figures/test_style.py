"""Figures on disk: the same bytes each time, names as they are, never half a file."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from reports.figures.style import write_figure


def _figure(title: str) -> Figure:
    figure = Figure(figsize=(2, 2))
    axes = figure.subplots()
    axes.plot([1, 2], [1, 1e6], label=title)
    axes.set_yscale("log")
    axes.set_xticks([1, 2], [title, "$b"])
    axes.legend()
    figure.suptitle(title)
    return figure


def test_write_figure_twice_has_the_same_bytes_and_no_date(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in write_figure(_figure("a"), tmp_path, "a")]
    again = [path.read_bytes() for path in write_figure(_figure("a"), tmp_path, "a")]
    assert first == again
    assert b"<dc:date>" not in first[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "a.svg"]


@pytest.mark.parametrize("title", [r"model-$\frac{$", "$x_1$ and $y$", r"$\nothing$", "5$"])
def test_write_figure_takes_dollar_signs_of_names_literally(tmp_path: Path, title: str) -> None:
    _, svg = write_figure(_figure(title), tmp_path, "a")
    assert f"<!-- {title} -->" in svg.read_text()
    assert r"<!-- $\mathdefault{10^{4}}$ -->" in svg.read_text()


def test_write_figure_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    write_figure(_figure("a"), tmp_path, "a")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    broken = Figure(figsize=(1e6, 1e6))
    with pytest.raises(ValueError, match="too large"):
        write_figure(broken, tmp_path, "a")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
