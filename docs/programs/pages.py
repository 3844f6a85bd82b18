"""What stands in the pages to be run: commands, Python snippets, and files that they need.

A block of code after the comment ``<!-- file: NAME -->`` is a file. A block of Python is part of
one script for the whole page. In all other blocks, lines that begin with a known program are
commands; ``$`` in front is a prompt, and what follows without one is output.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md") if (ROOT / name).exists()),
    *sorted((ROOT / "docs").rglob("*.md")),
]

_BLOCK = re.compile(
    r"(?:^<!-- file: (?P<file>\S+) -->\n+)?"
    r"^```(?P<language>\S*)[^\n]*\n(?P<text>.*?)^```"
    r"|^ {4}(?P<indented>(?:[A-Z_]+=\S+ )?(?:sslc|python) [^\n]*)"
    r"|`(?P<inline>sslc [a-z][^`\n]*|python -m [^`\n]*)`",
    re.MULTILINE | re.DOTALL,
)
_COMMAND = re.compile(r"(?:[A-Z_]+=\S+ )*(?:sslc|python|make|pip|git|source|\.venv/bin/pip) ")
# What leaves something out is no whole command.
_ELLIPSIS = re.compile(r"\.\.\.|…")


@dataclass(frozen=True)
class Item:
    """Something of a page that can be run or written.

    Attributes:
        kind: What it is.
        text: The command in one line, the snippet, or the file's content.
        name: Of a file; else empty.
        inline: Whether it stands inside a sentence, where it may be a part of a command.
    """

    kind: Literal["command", "python", "file"]
    text: str
    name: str = ""
    inline: bool = False


def items_of(page: str) -> Iterator[Item]:
    """What a page has, in its order.

    Args:
        page: In Markdown.
    """
    for block in _BLOCK.finditer(page):
        if block["file"]:
            yield Item("file", block["text"], block["file"])
        elif block["language"] == "python":
            yield Item("python", block["text"])
        elif block["inline"]:
            yield from _commands([block["inline"]], inline=True)
        else:
            text = block["indented"] if block["text"] is None else block["text"]
            yield from _commands(text.replace("\\\n", " ").split("\n"), inline=False)


def _commands(lines: list[str], *, inline: bool) -> Iterator[Item]:
    """Commands among lines: comments are cut off, and what a command is joined to."""
    for line in lines:
        whole = re.sub(r"\s#.*", "", line.strip().removeprefix("$ ")).strip()
        whole = re.sub(r"\s+", " ", whole.partition(" && ")[0].partition(" | ")[0])
        if _COMMAND.match(whole + " ") and not _ELLIPSIS.search(whole):
            yield Item("command", whole, inline=inline)
