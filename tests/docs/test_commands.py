"""Every command line in the README and the docs is one that the command line takes."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from reports.cli import app

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(sslc [a-z][^`\n]*)`")
# Words that stand for something, in upper case, or dots that leave something out.
ELLIPSIS = re.compile(r"\.\.\.|…")


def commands_of(text: str) -> list[str]:
    """Command lines of a page, comments cut off; those that leave something out are not whole."""
    lines = [
        line for block in BLOCK.findall(text) for line in block.replace("\\\n", " ").split("\n")
    ]
    lines = [line.strip().removeprefix("$ ") for line in lines] + INLINE.findall(text)
    lines = [re.sub(r"\s#.*", "", line).strip() for line in lines]
    lines = [re.sub(r"(--[\w-]+) [A-Z]\b", r"\1 1", line) for line in lines]  # any number
    lines = [re.split(r" (?:&&|[|>]) ", line)[0] for line in lines]
    return [line for line in lines if line.startswith("sslc ") and not ELLIPSIS.search(line)]


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = [(page.name, line) for page in PAGES for line in commands_of(page.read_text("utf-8"))]


def test_commands_of_finds_blocks_and_inline_ones() -> None:
    text = (
        "`sslc list vit` and\n```\nsslc evaluate A --stride 2  # why\nls\n```\n`sslc compress ...`"
    )
    assert commands_of(text) == ["sslc evaluate A --stride 2", "sslc list vit"]


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_documented_command_has_options_that_exist(page: str, line: str) -> None:
    group = typer.main.get_command(app)
    context = group.make_context("sslc", shlex.split(line)[1:2], resilient_parsing=True)
    name, *arguments = shlex.split(line)[1:]
    command = group.get_command(context, name)  # type: ignore[attr-defined]
    assert command is not None, f"{page}: no command {name}"
    if not arguments or "--help" in arguments:
        return  # named, not called
    try:
        command.make_context(name, arguments, parent=context)
    except Exception as error:
        if type(error).__name__ != "MissingParameter":  # a part of a command, to explain an option
            raise AssertionError(f"{page}: {line}: {error}") from error
