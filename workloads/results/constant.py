"""Columns that say the same in every row: out of a table, into its caption."""

import dataclasses

from workloads.results.table import Table, written_rows


def without_constants(table: Table) -> tuple[Table, dict[str, str]]:
    """A table without its constant columns, and what they say.

    A table of one row keeps its numbers: they are what it is about. A column without any entry is
    left out and not told. The last column stays whatever it says.

    Args:
        table: As it stands in files.

    Returns:
        The table, and heading and entry of every column that went, in order.
    """
    written = written_rows(table)
    if not written:
        return table, {}
    told: dict[str, str] = {}
    stay: list[int] = []
    for place, column in enumerate(table.columns):
        cells = [row[place] for row in table.rows]
        last = place == len(table.columns) - 1 and not stay
        number = len(cells) == 1 and isinstance(cells[0], int | float)
        if last or number or len({row[place] for row in written}) > 1:
            stay.append(place)
        elif cells[0] not in (None, ""):
            told[column.name] = written[0][place]
    columns = tuple(table.columns[place] for place in stay)
    rows = tuple(tuple(row[place] for place in stay) for row in table.rows)
    return dataclasses.replace(table, columns=columns, rows=rows), told
