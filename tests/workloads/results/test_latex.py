"""LaTeX tables: what they say, and that real pdflatex sets them without an overfull box."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from reports.tables.catalogue import CATALOGUES, kinds_table
from workloads.results.latex import latex
from workloads.results.table import Cell, Column, Table, render

TABLE = Table(
    "demo",
    "Cycles & <b>more</b>",
    (Column("Name"), Column("Cycles", ",.1f"), Column("Share", ".0%"), Column("On")),
    (("a_b", 1234.56, 0.5, "vitcod"), ("<script>", 7, None, "vitcod")),
    ("50% kept",),
)


def plain(text: str) -> str:
    return " ".join(text.replace(r"\allowbreak{}", "").split())


def test_latex_is_booktabs_and_escaped() -> None:
    text = render(TABLE, "latex")
    assert [text.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 1, 1]
    assert r"a\_b & 1,234.6 & 50\% \\" in plain(text)
    assert r"\caption{Cycles \& \textless{}b\textgreater{}more" in plain(text)
    assert r"50\% kept" in text
    assert "resizebox" not in text
    assert r"\fontsize{8}" in text


def test_latex_says_in_the_caption_what_all_rows_share() -> None:
    text = plain(render(TABLE, "latex"))
    assert text.count("vitcod") == 1
    assert "On: vitcod.}" in text


def test_latex_accents_and_signs_are_ascii_math() -> None:
    table = Table(
        "t", "|W\u0303 − L\u0303|² ± 1", (Column("Σ ‖a‖"),), (("3 × 4 ≤ 5",), ("\u4e2d",))
    )
    text = latex(table)
    assert text.isascii()
    caption = r"\textbar{}$\tilde{W}$ $-$ $\tilde{L}$\textbar{}$^2$ $\pm$ 1"
    assert rf"\caption{{{caption}}}" in text
    assert r"$\Sigma$" in text
    assert "? " in text


def test_latex_never_breaks_a_number() -> None:
    table = Table(
        "t", "T", (Column("A"), Column("B")), (("1,234.5 - 6,789.0", "x" * 90), ("b", "y"))
    )
    assert "1,234.5 - 6,789.0" in latex(table)


def test_latex_of_many_columns_continues_beside_the_same_labels() -> None:
    columns = (Column("Name"), *(Column(f"Number {i}") for i in range(20)))
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (name, *(n * 1000 + i for i in range(20))) for n, name in enumerate("ab", 1)
    )
    text = latex(Table("t", "T", columns, rows))
    assert text.count(r"\begin{table}") == 1
    assert text.count(r"\begin{tabular}") > 1
    assert len(re.findall(r"^a & ", text, re.M)) == text.count(r"\begin{tabular}")
    for i in range(20):
        assert len(re.findall(rf"\b{1000 + i}\b", text)) == 1


def test_latex_of_many_rows_continues_in_a_table_of_its_own() -> None:
    rows = tuple((f"row {i}", i) for i in range(100))
    text = latex(Table("t", "T", (Column("A"), Column("B")), rows, ("a note",)))
    assert text.count(r"\begin{table}") == text.count(r"\label{tab:t") > 2
    assert text.count("a note") == 1
    assert "T (part 1 of 3)" in text
    assert [int(n) for n in re.findall(r"row (\d+) & ", text)] == list(range(100))


def compiled(tables: Sequence[Table], folder: Path) -> list[str]:
    """What pdflatex says against tables."""
    return compiled_text([latex(table) for table in tables], folder)


def compiled_text(texts: Sequence[str], folder: Path) -> list[str]:
    """What pdflatex says against LaTeX in ``article``, whose lines are 345 pt."""
    pdflatex = shutil.which("pdflatex")
    if pdflatex is None:
        assert not os.environ.get("CI"), "pdflatex must be there in CI: texlive-latex-recommended"
        pytest.skip("no pdflatex on PATH: texlive-latex-base and texlive-latex-recommended")
    body = "\\clearpage\n".join(texts)
    (folder / "all.tex").write_text(
        "\\documentclass{article}\n\\usepackage{array,booktabs}\n\\begin{document}\n"
        f"{body}\\end{{document}}\n"
    )
    done = subprocess.run(
        [pdflatex, "-interaction=nonstopmode", "-no-shell-escape", "all.tex"],
        cwd=folder, capture_output=True, text=True, errors="replace", timeout=120, check=False,
    )  # fmt: skip
    assert "Output written" in done.stdout, done.stdout[-2000:]
    signs = ("!", "Overfull \\hbox")
    return [line for line in done.stdout.splitlines() if line.startswith(signs)]


def test_pdflatex_sees_an_overfull_box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check can fail: with widths estimated at nothing, a wide table sticks out."""
    monkeypatch.setattr("workloads.results.latex._width_of", lambda _: 0.1)
    cells = tuple(tuple(f"{n} word word word {i}" for i in range(9)) for n in range(2))
    columns = tuple(Column(f"A{i}") for i in range(9))
    assert compiled([Table("t", "T", columns, cells)], tmp_path)


def test_pdflatex_sets_every_shipped_table_without_an_overfull_box(tmp_path: Path) -> None:
    catalogues = [kinds_table(), *(catalogue.table() for catalogue in CATALOGUES.values())]
    assert compiled([TABLE, *catalogues], tmp_path) == []


def random_table(random: Random) -> Table:
    def word() -> str:
        return "".join(random.choices("abcXYZmW019_-./+%,:=  ", k=random.randrange(0, 50)))

    def number() -> float:
        return random.choice((random.random(), float(random.randrange(10**9)), 0.5))

    width, height = random.randrange(1, 15), random.randrange(1, 7)
    words = [random.random() < 0.5 for _ in range(width)]
    rows = [tuple(word() if text else number() for text in words) for _ in range(height)]
    columns = tuple(Column(f"{word()[:12]} {place}", ",.1f") for place in range(width))
    return Table(f"t{random.random()}", word() or "T", columns, tuple(rows), (word() * 4,))


def test_pdflatex_sets_any_table_without_an_overfull_box(tmp_path: Path) -> None:
    random = Random(0)
    assert compiled([random_table(random) for _ in range(60)], tmp_path) == []
