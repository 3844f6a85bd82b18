"""Markdown for the generated references: tables whose cells cannot break them."""

import re
from collections.abc import Iterable, Sequence

_MARKUP = re.compile(r"[*_<\[\]~$]")


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; every cell is one line of Markdown.

    Args:
        headings: Of the columns.
        rows: As many cells each.
    """
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def code(text: object) -> str:
    """Something as it would be typed."""
    return f"`{text}`" if str(text) else ""


def prose(text: str) -> str:
    """Words of a docstring as Markdown: its double backquotes are single ones here."""
    parts = text.replace("``", "`").split("`")
    plain = [_MARKUP.sub(r"\\\g<0>", part) for part in parts[::2]]
    parts[::2] = plain
    return "`".join(parts)
