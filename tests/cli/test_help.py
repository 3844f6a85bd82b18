"""What ``--help`` and Tab say: every option with its default, every name on Tab."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from reports.cli import app
from tests.cli.conftest import Run

GROUP: Any = typer.main.get_command(app)
CONTEXT = GROUP.make_context("sslc", [], resilient_parsing=True)


def parameters() -> Iterator[Any]:
    for name, command in GROUP.commands.items():
        yield from (
            pytest.param(parameter, id=f"{name} {parameter.name}") for parameter in command.params
        )


@pytest.mark.parametrize("parameter", parameters())
def test_help_says_what_an_option_is_for_and_what_it_is_unless_given(parameter: Any) -> None:
    assert parameter.help
    assert parameter.help[0] not in "[("
    if parameter.required or getattr(parameter, "is_flag", False):
        return
    shown = parameter.default is not None or isinstance(parameter.show_default, str)
    assert shown, "give show_default=... where the default is None"


def test_help_of_every_command_has_an_example_of_that_command() -> None:
    for name, command in GROUP.commands.items():
        assert f"Example: sslc {name}" in command.help, name


def complete(typed: str) -> list[str]:
    """What bash would offer behind what is typed, by the installed command."""
    words = typed.split(" ")
    environment = os.environ | {
        "_SSLC_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(words) - 1),
    }
    program = "import sys; sys.argv[0] = 'sslc'; from reports.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout.split()


def test_tab_offers_names_through_the_shell() -> None:
    assert complete("sslc compress m --method sparseg") == ["sparsegpt"]


@pytest.mark.parametrize(
    ("command", "option", "typed", "offered"),
    [
        ("compress", "method", "sslc", ["sslc", "sslc-d", "sslc-h"]),
        ("compress", "calibration", "wiki", ["wikitext2"]),
        ("compress", "dtype", "", ["auto", "BF16", "F16", "F32"]),
        ("simulate", "accelerator", "vit", ["vitcod"]),
        ("simulate", "cycle_model", "c", ["compiled"]),
        ("simulate", "energy", "2", ["28nm"]),
        ("simulate", "style", "l", ["latex"]),
        ("simulate", "module", "M", ["MHA"]),
        ("attention", "shape", "deit-t", ["deit-tiny"]),
        ("measure", "shape", "llama2-7", ["llama2-7b"]),
        ("measure", "dtype", "i", ["int8"]),
        ("evaluate", "device", "cu", ["cuda"]),
        ("export", "layout", "a", ["adapter"]),
        ("reproduce", "names", "table1", ["table1", "table10"]),
        ("reproduce", "published", "llama2-7", ["llama2-7b"]),
        ("recover", "data", "al", ["alpaca"]),
        ("demo", "model", "smol", ["smollm2-135m"]),
        ("list", "kind", "mo", ["models"]),
    ],
)
def test_tab_offers_what_ships(
    command: str, option: str, typed: str, offered: list[str], tmp_path: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    parameter = next(p for p in GROUP.commands[command].params if p.name == option)
    found = parameter.shell_complete(CONTEXT, typed)
    assert [item.value for item in found] == offered


def test_tab_offers_files_of_the_kind_that_may_stand_for_a_name(
    tmp_path: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "machines").mkdir()
    (tmp_path / "machines" / "mine.toml").touch()
    (tmp_path / "machines" / "mine.txt").touch()
    parameter = next(p for p in GROUP.commands["simulate"].params if p.name == "accelerator")

    def offered(typed: str) -> list[str]:
        return [item.value for item in parameter.shell_complete(CONTEXT, typed)]

    assert offered("mach") == ["machines/"]
    assert offered("machines/mi") == ["machines/mine.toml"]
    assert offered("nowhere/mi") == []


def test_version_is_printed(sslc: Run) -> None:
    done = sslc("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count(".") == 2
