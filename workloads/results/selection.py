"""Some columns of some tables, by their headings: what fits a paper."""

import dataclasses
from collections.abc import Sequence

from workloads.results.table import Table
from workloads.support.errors import unknown_name


def with_columns(tables: Sequence[Table], names: Sequence[str]) -> list[Table]:
    """The tables that have the named columns, with these alone, in the order of the names.

    Args:
        tables: Any.
        names: Headings, in any case and with or without what stands in brackets; none: all tables
            as they are. A table that lacks one of them is left out.

    Raises:
        InputError: No table has a column of a name, or none has all of them.
    """
    if not names:
        return list(tables)
    places = [[_place(table, name) for name in names] for table in tables]
    for index, name in enumerate(names):
        if all(found[index] is None for found in places):
            known = dict.fromkeys(column.name for table in tables for column in table.columns)
            raise unknown_name("column", name, known)
    chosen = [
        _chosen(table, [place for place in found if place is not None])
        for table, found in zip(tables, places, strict=True)
        if None not in found
    ]
    if not chosen:
        has = {column.name for table in tables for column in table.columns}
        raise unknown_name("combination of columns", ", ".join(names), has)
    return chosen


def _place(table: Table, name: str) -> int | None:
    wanted = _plain(name)
    for place, column in enumerate(table.columns):
        if wanted in (_plain(column.name), _plain(column.name.partition(" (")[0])):
            return place
    return None


def _plain(name: str) -> str:
    return " ".join(name.lower().split())


def _chosen(table: Table, places: Sequence[int]) -> Table:
    return dataclasses.replace(
        table,
        columns=tuple(table.columns[place] for place in places),
        rows=tuple(tuple(row[place] for place in places) for row in table.rows),
    )
