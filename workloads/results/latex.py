"""A table for a paper: 8 pt, at most as wide as the text, what all rows share in the caption.

Text wraps in columns that are shares of ``\\linewidth``; headings break at their spaces. What still
does not fit beside the first columns continues below them, rows that do not fit a page continue in
a table of their own. Widths are estimated from those of Computer Modern; they hold for a text width
of 345 pt (``article`` at 10 pt, the narrowest common one) and every wider one.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workloads.results.constant import without_constants
from workloads.results.table import Table, alignment, written_rows
from workloads.support.errors import printable

TEXT_WIDTH_PT = 345.0
_SEPARATION_PT = 6.0
_LINES_PER_PAGE = 48
_LEAST_LINES = 12
_RAGGED = 1.3
_LABELS_SHARE = 0.6
_UNBROKEN = 14
"""Characters after which a word without a place to break gets one."""
_NEEDS = "% \\usepackage{array,booktabs}\n"
_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "−": "$-$",
    "²": "$^2$",
    "‖": r"$\Vert$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "Σ": r"$\Sigma$",
    "µ": r"$\mu$",
    "μ": r"$\mu$",
    "ᵀ": r"$^\top$",
    "⌈": r"$\lceil$",
    "⌉": r"$\rceil$",
    "⌊": r"$\lfloor$",
    "⌋": r"$\rfloor$",
    "≈": r"$\approx$",
    "≠": r"$\ne$",
    "∈": r"$\in$",
    "√": r"$\surd$",
    "→": r"$\to$",
    "∞": r"$\infty$",
    "⊙": r"$\odot$",
    "°": r"$^\circ$",
    "λ": r"$\lambda$",
    "ρ": r"$\rho$",
    "σ": r"$\sigma$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    **{each: f"$_{digit}$" for digit, each in enumerate("₀₁₂₃₄₅₆₇₈₉")},
    **{each: f"$^{digit}$" for digit, each in zip("01356789", "⁰¹³⁵⁶⁷⁸⁹", strict=True)},
    "⁴": "$^4$",
    "⁻": "$^-$",
    "…": r"\dots{}",
    "–": "--",
    "—": "---",
    "’": "'",
    "“": "``",
    "”": "''",
}
_TILDE = re.compile("(.)\u0303")
_BREAKS = "_./-+=,:;#"
_NARROW, _WIDE = "ijlt.,:;'|!()[]/ f", "mwMWQGOD%@&×−±—≤≥"
_BREAK = re.compile(rf"(?<=[{re.escape(_BREAKS)}])(?=[^\d\s{re.escape(_BREAKS)}])|\s+")
"""Behind a mark that is not followed by a digit, so that no number is broken."""


def latex(table: Table) -> str:
    """A table as one or more LaTeX tables (booktabs) that need not be shrunk.

    Args:
        table: With any number of rows and columns.
    """
    narrowed, told = without_constants(table)
    shared = "; ".join(f"{name}: {value}" for name, value in told.items())
    caption = f"{table.title.rstrip('.')}. {shared}." if shared else table.title
    cells = list(zip(*written_rows(narrowed), strict=True)) or [()] * len(narrowed.columns)
    sides = alignment(narrowed)
    columns = [
        _Column(printable(column.name), entries, side == "right")
        for column, entries, side in zip(narrowed.columns, cells, sides, strict=True)
    ]
    panels = [_Panel(tuple(each)) for each in _panels(columns)]
    beside = sum(math.ceil(_width(text) / TEXT_WIDTH_PT) for text in (caption, *table.notes))
    lines = max(_LEAST_LINES, (_LINES_PER_PAGE - beside) // len(panels) - 4)
    parts = list(_parts(panels, len(narrowed.rows), lines))
    return _NEEDS + "".join(
        _float(
            panels,
            rows,
            f"{caption} (part {number} of {len(parts)})" if len(parts) > 1 else caption,
            f"{table.name}-{number}" if number > 1 else table.name,
            table.notes if number == len(parts) else (),
        )
        for number, rows in enumerate(parts, 1)
    )


def escape(text: str) -> str:
    """Text for LaTeX; a letter with a combining tilde becomes its accent in math.

    Args:
        text: Anything; characters that LaTeX does not have become ``?``.
    """
    parts = _TILDE.split(printable(text))
    return "".join(
        f"$\\tilde{{{part}}}$" if place % 2 else "".join(_character(each) for each in part)
        for place, part in enumerate(parts)
    )


def _character(character: str) -> str:
    return _LATEX.get(character, character if character.isascii() else "?")


@dataclass(frozen=True)
class _Column:
    """A column as it is written.

    Attributes:
        heading: Its name.
        cells: Every row.
        numeric: To the right, in one line.
    """

    heading: str
    cells: tuple[str, ...]
    numeric: bool

    @property
    def least_pt(self) -> float:
        """Without a word that sticks out."""
        heading = max((_width(word) for word in self.heading.split()), default=0.0)
        if self.numeric:
            return max([heading, *(_width(cell) for cell in self.cells)])
        return max([heading, *(_width(part) for cell in self.cells for part in _pieces(cell))])

    @property
    def natural_pt(self) -> float:
        """Every cell in one line."""
        return max([self.least_pt, *(_width(cell) for cell in self.cells)])


@dataclass(frozen=True)
class _Panel:
    """Columns that stand side by side."""

    columns: tuple[_Column, ...]

    @property
    def widths_pt(self) -> list[float]:
        """Of each column: natural where all fit, else text gets what numbers leave, fairly."""
        natural = [column.natural_pt for column in self.columns]
        if _total(natural) <= TEXT_WIDTH_PT:
            return natural
        least = [column.least_pt for column in self.columns]
        wish = [wide - narrow for wide, narrow in zip(natural, least, strict=True)]
        left = max(0.0, TEXT_WIDTH_PT - _total(least))
        share = min(1.0, left / sum(wish)) if sum(wish) else 0.0
        return [narrow + share * more for narrow, more in zip(least, wish, strict=True)]

    def lines_of(self, row: int) -> int:
        """Lines that a row takes, with what ragged lines leave empty."""
        lines = [1]
        for column, width in zip(self.columns, self.widths_pt, strict=True):
            wide = _width(column.cells[row])
            if wide > width:
                lines.append(math.ceil(_RAGGED * wide / width))
        return max(lines)

    def tabular(self, rows: range) -> str:
        """As LaTeX."""
        widths = self.widths_pt
        specs, heads = [], []
        for column, width in zip(self.columns, widths, strict=True):
            wraps = not column.numeric and width < column.natural_pt - 1e-9
            share = math.floor(1e4 * width / TEXT_WIDTH_PT) / 1e4
            specs.append(
                rf">{{\raggedright\arraybackslash}}p{{{share:.4f}\linewidth}}"
                if wraps
                else "r"
                if column.numeric
                else "l"
            )
            heads.append(_breakable(column.heading) if wraps else _stack(column, width))
        body = "".join(
            " & ".join(
                escape(column.cells[row]) if column.numeric else _breakable(column.cells[row])
                for column in self.columns
            )
            + " \\\\\n"
            for row in rows
        )
        return (
            f"\\begin{{tabular}}{{@{{}}{''.join(specs)}@{{}}}}\n\\toprule\n"
            f"{' & '.join(heads)} \\\\\n\\midrule\n{body}\\bottomrule\n\\end{{tabular}}\n"
        )


def _total(widths_pt: Sequence[float]) -> float:
    return sum(widths_pt) + _SEPARATION_PT * max(0, len(widths_pt) - 1)


def _panels(columns: Sequence[_Column]) -> Iterator[list[_Column]]:
    """Columns that fit side by side; those after the first panel stand beside the same labels."""
    first_number = next((p for p, column in enumerate(columns) if column.numeric), len(columns))
    count = max(1, first_number) if first_number < len(columns) else 1
    while (
        count > 1 and _total([c.least_pt for c in columns[:count]]) > _LABELS_SHARE * TEXT_WIDTH_PT
    ):
        count -= 1
    labels, panel = list(columns[:count]), list(columns[:count])
    for column in columns[count:]:
        if len(panel) > count and _total([c.least_pt for c in (*panel, column)]) > TEXT_WIDTH_PT:
            yield panel
            panel = list(labels)
        panel.append(column)
    yield panel


def _parts(panels: Sequence[_Panel], rows: int, most: int) -> Iterator[range]:
    """Rows that take so many lines at most, or one."""
    start, lines = 0, 0
    for row in range(rows):
        more = max(panel.lines_of(row) for panel in panels)
        if row > start and lines + more > most:
            yield range(start, row)
            start, lines = row, 0
        lines += more
    yield range(start, rows)


def _float(
    panels: Sequence[_Panel], rows: range, caption: str, label: str, notes: Sequence[str]
) -> str:
    body = "\\par\\medskip\n".join(panel.tabular(rows) for panel in panels)
    below = "\\par\n".join(_breakable(note) for note in notes)
    below = f"\\par\\smallskip\n\\raggedright\n{below}\\par\n" if below else ""
    return (
        f"\\begin{{table}}\n\\centering\n\\caption{{{_breakable(caption)}}}\n"
        f"\\label{{tab:{label}}}\n\\smallskip\n\\fontsize{{8}}{{9.5}}\\selectfont\n"
        f"\\setlength{{\\tabcolsep}}{{{_SEPARATION_PT / 2:g}pt}}\n{body}{below}\\end{{table}}\n"
    )


def _stack(column: _Column, width_pt: float) -> str:
    """A heading broken at its spaces, as wide as its column."""
    lines: list[str] = []
    for word in column.heading.split():
        if lines and _width(f"{lines[-1]} {word}") <= width_pt:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    written = [escape(line) for line in lines]
    if len(written) < 2:
        return "".join(written)
    side = "r" if column.numeric else "l"
    return rf"\shortstack[{side}]{{" + r"\\".join(written) + "}"


def _pieces(text: str) -> list[str]:
    """What cannot be broken."""
    return [
        token[start : start + _UNBROKEN]
        for token in _BREAK.split(text)
        for start in range(0, len(token), _UNBROKEN)
    ]


def _breakable(text: str) -> str:
    """Text for LaTeX that may break inside names and paths."""
    words = printable(text).split(" ")
    return " ".join(r"\allowbreak{}".join(map(escape, _pieces(word))) for word in words)


def _width(text: str) -> float:
    """In pt, of 8 pt Computer Modern, rather too wide than too narrow."""
    return sum(_width_of(character) for character in text)


def _width_of(character: str) -> float:
    if character in _NARROW:
        return 3.3
    if character in _WIDE:
        return 9.0 if character == "W" else 7.9
    return 6.7 if character.isupper() or character in "=+#<>~^" else 4.75
