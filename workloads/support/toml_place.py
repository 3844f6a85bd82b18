"""Where a key of a TOML file stands, so that an error can name its line: tomllib does not say.

Beside ``catalog``. The file is cut into its statements, each of which tomllib reads alone.
"""

import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Keys = tuple[str, ...]
_MOST_LINES_OF_A_STATEMENT = 1000


@dataclass(frozen=True)
class Place:
    """A table of parsed TOML, for errors about its keys.

    Attributes:
        source: What errors call the whole: a file, or ``accelerator vitcod``.
        file: Where the lines are; None: no lines are named.
        table: Keys that lead to the table; none for the whole.
        changed: Keys from the top that did not come from the file.
    """

    source: str
    file: Path | None = None
    table: Keys = ()
    changed: Collection[Keys] = ()

    def __str__(self) -> str:
        """Source and table, without a line."""
        return self._text(None)

    def inside(self, *keys: str) -> "Place":
        """A table inside this one."""
        return Place(self.source, self.file, (*self.table, *keys), self.changed)

    def of(self, *keys: str) -> str:
        """Source, line and table of a key that is there: its own line, or its table's."""
        found = (*self.table, *keys)
        if self.file is None or found in self.changed:
            return self._text(None)
        lines = _lines_of(self.file)
        own = (line for keys, line in lines.items() if keys[: len(found)] == found)
        around = (lines.get(found[:end]) for end in range(len(found) - 1, 0, -1))
        return self._text(next((line for line in (*own, *around) if line is not None), None))

    def of_missing(self) -> str:
        """Source, line and table for a key that is not there: the table's line."""
        return self._text(_lines_of(self.file).get(self.table) if self.file else None)

    def _text(self, line: int | None) -> str:
        number = "" if line is None else f":{line}"
        table = f": [{'.'.join(self.table)}]" if self.table else ""
        return f"{self.source}{number}{table}"


def key_lines(text: str) -> dict[Keys, int]:
    """First line of every key and table header of a TOML document, counted from 1.

    Keys of arrays of tables are left out, and so is everything after a statement of more than
    a thousand lines.

    Args:
        text: TOML that tomllib has read.
    """
    lines: dict[Keys, int] = {}
    header: Keys | None = ()
    for number, statement, many in _statements(text):
        parsed = tomllib.loads(statement)
        if statement.lstrip().startswith("["):
            header = _chain(parsed)
            lines.setdefault(header, number)
            if statement.lstrip().startswith("[["):
                header = None
        elif header is not None:
            for keys in _paths(parsed, whole=not many):
                lines.setdefault((*header, *keys), number)
    return lines


def _lines_of(file: Path) -> dict[Keys, int]:
    try:
        return key_lines(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}


def _statements(text: str) -> Iterator[tuple[int, str, bool]]:
    """Line, text, and whether it has several lines, of each header and each key with its value."""
    held: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        held.append(line)
        statement = "\n".join(held)
        if len(held) > _MOST_LINES_OF_A_STATEMENT:
            return
        try:
            tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue
        if statement.strip() and not statement.lstrip().startswith("#"):
            yield number - len(held) + 1, statement, len(held) > 1
        held = []


def _chain(parsed: Any) -> Keys:
    """The keys of a header."""
    keys: list[str] = []
    while isinstance(parsed, dict) and parsed:
        [(key, parsed)] = parsed.items()
        keys.append(key)
    return tuple(keys)


def _paths(parsed: dict[str, Any], whole: bool) -> Iterator[Keys]:
    """Every key with those inside it; of a statement of several lines only the first ones."""
    for key, value in parsed.items():
        yield (key,)
        if isinstance(value, dict) and (whole or len(value) == 1):
            yield from ((key, *inner) for inner in _paths(value, whole))
