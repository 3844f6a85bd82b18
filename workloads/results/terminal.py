"""A table on a terminal that is narrower than the table: words wrap, and no line breaks by itself.

What all rows share goes below the title. Text wraps in its column, headings at their spaces. What
still does not fit beside the first columns continues below them. Numbers are never broken.
"""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workloads.results.constant import without_constants
from workloads.results.table import Table, alignment, render, written_rows
from workloads.support.errors import printable

_GAP = 2  # spaces between columns
_LEAST_TEXT = 20  # characters that a column of text has at least, if it has so many
_WHOLE_WORD = 30  # characters up to which a word, such as a name, is not broken
_LABELS_SHARE = 0.5
_LEAST_WIDTH = 20


@dataclass(frozen=True)
class _Column:
    heading: str
    cells: tuple[str, ...]
    side: str

    @property
    def natural(self) -> int:
        """Characters with every cell in one line."""
        return max(self.least, *(len(cell) for cell in self.cells), len(self.heading))

    @property
    def least(self) -> int:
        """Characters with the heading on several lines, and text, too."""
        longest = max(map(len, self.cells), default=0)
        if self.side == "left":
            words = (len(word) for cell in self.cells for word in cell.split())
            whole = max((each for each in words if each <= _WHOLE_WORD), default=0)
            longest = max(whole, min(longest, _LEAST_TEXT))
        return max([longest, *map(len, self.heading.split())])


def fitted(table: Table, width: int) -> str:
    """A table as text in lines of a terminal, ending with a newline.

    Args:
        table: As ``render`` takes it, which writes it where it fits.
        width: Characters of a line; a column of long words may still be wider.
    """
    width = max(width, _LEAST_WIDTH)
    text = render(table, "text")
    if max(map(len, text.splitlines())) <= width:
        return text
    columns, shared = _columns(table), ""
    if len(table.rows) > 1 and _total([column.natural for column in columns]) > width:
        narrowed, told = without_constants(table)
        columns = _columns(narrowed)
        shared = "; ".join(f"{name}: {value}" for name, value in told.items())
    above = "\n".join(_wrapped(line, width) for line in (table.title, shared) if line)
    panels = [_written(panel, width) for panel in _panels(columns, width)]
    notes = [_wrapped(note, width, indent="  ") for note in table.notes]
    return "\n\n".join([above, *panels, *(["\n".join(notes)] if notes else [])]) + "\n"


def _wrapped(text: str, width: int, indent: str = "") -> str:
    """A text in lines, the first one indented, the others twice."""
    return textwrap.fill(
        printable(text),
        width,
        initial_indent=indent,
        subsequent_indent=2 * indent,
        break_on_hyphens=False,
    )


def _columns(table: Table) -> list[_Column]:
    rows = written_rows(table)
    cells = zip(*rows, strict=True) if rows else [()] * len(table.columns)
    return [
        _Column(printable(column.name), tuple(entries), side)
        for column, entries, side in zip(table.columns, cells, alignment(table), strict=True)
    ]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * max(0, len(widths) - 1)


def _panels(columns: Sequence[_Column], width: int) -> Iterator[list[_Column]]:
    """Columns that fit side by side; those after the first panel stand beside the same labels."""
    sides = [column.side for column in columns]
    count = max(1, sides.index("right")) if "right" in sides else 1
    while count > 1 and _total([c.least for c in columns[:count]]) > _LABELS_SHARE * width:
        count -= 1
    labels, panel = list(columns[:count]), list(columns[:count])
    for column in columns[count:]:
        if len(panel) > count and _total([c.least for c in (*panel, column)]) > width:
            yield panel
            panel = list(labels)
        panel.append(column)
    yield panel


def _written(columns: Sequence[_Column], width: int) -> str:
    """Columns side by side, each as wide as it is by nature, or as what is left allows."""
    widths = [column.least for column in columns]
    left = width - _total(widths)
    for place in sorted(range(len(columns)), key=lambda p: columns[p].natural - widths[p]):
        waiting = sum(columns[p].natural > widths[p] for p in range(len(columns)))
        more = min(columns[place].natural - widths[place], max(0, left) // max(1, waiting))
        widths[place] += more
        left -= more
    texts = [
        [_wrapped(cell, most).splitlines() for cell in (column.heading, *column.cells)]
        for column, most in zip(columns, widths, strict=True)
    ]
    heading, *rows = (
        "\n".join(_lines(cells, columns, widths)) for cells in zip(*texts, strict=True)
    )
    rule = (" " * _GAP).join("-" * most for most in widths)
    return "\n".join([heading, rule, *rows])


def _lines(
    cells: Sequence[list[str]], columns: Sequence[_Column], widths: Sequence[int]
) -> Iterator[str]:
    """A row of wrapped cells, line by line."""
    for line in range(max(1, *map(len, cells))):
        parts = []
        for text, column, most in zip(cells, columns, widths, strict=True):
            part = text[line] if line < len(text) else ""
            parts.append(part.rjust(most) if column.side == "right" else part.ljust(most))
        yield (" " * _GAP).join(parts).rstrip()
