"""Every command line in the README and the docs is one that the command line takes."""

import re
import shlex

import pytest
import typer

from docs.programs.pages import PAGES, ROOT, Item, items_of
from reports.cli import app

COMMANDS = [
    (
        str(page.relative_to(ROOT)),
        re.sub(r"(--[\w-]+) [A-Z]\b", r"\1 1", item.text.partition(" > ")[0]),
    )
    for page in PAGES
    for item in items_of(page.read_text("utf-8"))
    if item.kind == "command" and item.text.startswith("sslc ")
]


def test_items_of_finds_blocks_and_inline_ones() -> None:
    text = (
        "`sslc list vit`\n```\nsslc evaluate A --stride 2  # why\nls\n```\n`sslc compress ...`\n"
        "<!-- file: a.toml -->\n```toml\nrank = 1\n```\n\n    python -m that  # so\n"
        "```python\nimport sslc\n```\n```console\n$ sslc sweep A \\\n    --out B\nsslc: done\n```\n"
    )
    assert list(items_of(text)) == [
        Item("command", "sslc list vit", inline=True),
        Item("command", "sslc evaluate A --stride 2"),
        Item("file", "rank = 1\n", "a.toml"),
        Item("command", "python -m that"),
        Item("python", "import sslc\n"),
        Item("command", "sslc sweep A --out B"),
    ]


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
