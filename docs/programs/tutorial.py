"""Run docs/tutorial.md for real, and write what its commands print into it.

python -m docs.programs.tutorial DIR   works in DIR, where finished commands are not run again
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from docs.programs.pages import ROOT, items_of
from workloads.support.files import write_atomic, write_json

PAGE = ROOT / "docs" / "tutorial.md"
_LONGEST_NOTE = 110
_CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def main(directory: Path) -> None:
    """Write the tutorial's files, run its commands, put their output behind each."""
    directory.mkdir(parents=True, exist_ok=True)
    page = PAGE.read_text(encoding="utf-8")
    for item in items_of(page):
        if item.kind == "file":
            (directory / item.name).write_text(item.text, encoding="utf-8")
    done = directory / "done.json"
    outputs: dict[str, str] = json.loads(done.read_text()) if done.exists() else {}
    for block in _CONSOLE.findall(page):
        for command in _commands(block):
            if command not in outputs:
                outputs[command] = _output(command, directory)
                write_json(done, outputs)
    filled = _CONSOLE.sub(lambda block: _filled(block[1], outputs), page)
    write_atomic(PAGE, filled.encode())


def _commands(block: str) -> list[str]:
    return [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]


def _output(command: str, directory: Path) -> str:
    """What a command prints on standard output, as wide as a page."""
    print(command, flush=True)
    program, *arguments = command.split()
    path = Path(sys.executable).with_name(program)
    done = subprocess.run(
        [path, *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return "\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines())


def _shortened(output: str) -> str:
    """The first table with its short notes; dots for what is left out."""
    parts = output.split("\n\n")
    title, table, *notes = [*parts, "", ""][:3] if len(parts) > 1 else [output, "", ""]
    short = [
        line
        for line in "\n".join(notes).splitlines()
        if line.startswith("  ") and len(line) < _LONGEST_NOTE and "Version:" not in line
    ]
    kept = "\n\n".join(part for part in (title, table, "\n".join(short)) if part)
    return kept if kept == output else f"{kept}\n…"


def _filled(block: str, outputs: dict[str, str]) -> str:
    shown = ((command, _shortened(outputs[command])) for command in _commands(block))
    parts = [f"$ {command}\n{output}".strip() for command, output in shown]
    return "```console\n" + "\n\n".join(parts) + "\n```"


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
