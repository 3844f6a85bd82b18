"""Where a key of a TOML file stands, so that an error can name its line: tomllib does not say.

Beside ``presets``. The file is cut into its statements, each of which tomllib reads alone.
"""

import functools
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workloads.support.reading import LARGEST_TOML_BYTES, read_text

Keys = tuple[str, ...]

# What can hide a bracket or a line's end, in the order in which it is looked for.
_TOKEN = re.compile(
    r"""
    \"{3}(?:\\.|(?!\"{3})[^\\])*\"{3,5} | '{3}(?:(?!'{3}).)*'{3,5}
    | \"(?:\\.|[^\"\\\n])*\" | '[^'\n]*'
    | \#[^\n]* | [\[{] | [\]}] | \n
    """,
    re.DOTALL | re.VERBOSE,
)


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
        if found in lines:
            return self._text(lines[found])
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

    Keys of arrays of tables are left out.

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


def _lines_of(file: Path) -> Mapping[Keys, int]:
    try:
        state = file.stat()
        return _lines_of_state(file, state.st_mtime_ns, state.st_size)
    except (OSError, ValueError, RecursionError):
        return {}


@functools.lru_cache(maxsize=4)
def _lines_of_state(file: Path, changed_ns: int, size: int) -> Mapping[Keys, int]:
    del changed_ns, size
    return key_lines(read_text(file, LARGEST_TOML_BYTES))


def _statements(text: str) -> Iterator[tuple[int, str, bool]]:
    """Line, text, and whether it has several lines, of each header and each key with its value."""
    begin, first, line, depth = 0, 1, 1, 0
    for token in _TOKEN.finditer(text + "\n"):
        line += token[0].count("\n")
        depth += (token[0] in "[{") - (token[0] in "]}")
        if token[0] != "\n" or depth:
            continue
        statement = text[begin : token.start()]
        if statement.strip() and not statement.lstrip().startswith("#"):
            yield first, statement, line > first + 1
        begin, first = token.end(), line


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
