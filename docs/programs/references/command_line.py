"""The reference of the command line, from the commands themselves."""

import inspect
from typing import Any

import typer

from docs.programs.references.markdown import code, prose, table
from reports.cli import app

_EXAMPLE = "Example: "


def command_reference() -> str:
    """Every subcommand: usage, what it does, examples, arguments and options."""
    group: Any = typer.main.get_command(app)
    parts = []
    for name, command in group.commands.items():
        context = command.make_context(name, [], resilient_parsing=True)
        usage = " ".join(["sslc", name, *command.collect_usage_pieces(context)])
        parts += [f"## `sslc {name}`\n", *_words(command.help), f"```text\n{usage}\n```"]
        parts += _parameters(command, context)
    return "\n\n".join(parts)


def _words(text: str) -> list[str]:
    """Paragraphs, and the examples as one block."""
    paragraphs = [" ".join(part.split()) for part in inspect.cleandoc(text).split("\n\n")]
    examples = [part.removeprefix(_EXAMPLE) for part in paragraphs if part.startswith(_EXAMPLE)]
    words = [prose(part) for part in paragraphs if not part.startswith(_EXAMPLE)]
    return [*words, *(["```\n" + "\n".join(examples) + "\n```"] if examples else [])]


def _parameters(command: Any, context: Any) -> list[str]:
    parts = []
    for kind in ("argument", "option"):
        items = [item for item in command.get_params(context) if item.param_type_name == kind]
        records = [item.get_help_record(context) for item in items]
        rows = [_row(*record) for record in records if record is not None]
        if rows:
            parts.append(table([kind, "meaning", "default, range"], rows))
    return parts


def _row(name: str, text: str) -> list[str]:
    """Name, meaning, and what typer adds in brackets at the end."""
    words, _, limits = text.partition("  [")
    limits = limits.removesuffix("]").removeprefix("default: ")
    return [code(name), prose(words), limits if limits == "required" else code(limits)]
