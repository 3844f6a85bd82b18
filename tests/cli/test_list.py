"""``sslc list``: kinds, their names, and the files behind them."""

import tomllib
from pathlib import Path

import pytest

from accelerator_sim.machine.catalog import accelerator_table, load_accelerator
from accelerator_sim.machine.hardware import Index
from accelerator_sim.machine.keys import hardware_keys
from reports.tables.catalogue import CATALOGUES, toml_of
from sslc.methods.registry import METHODS
from tests.cli.conftest import Run, document


def test_list_alone_lists_the_kinds(sslc: Run) -> None:
    table = document(sslc("list", "--json"))["tables"][0]
    assert [row["Kind"] for row in table["rows"]] == list(CATALOGUES)


@pytest.mark.parametrize("kind", list(CATALOGUES))
def test_every_kind_has_a_table_called_like_it(sslc: Run, kind: str) -> None:
    (table,) = document(sslc("list", kind, "--json"))["tables"]
    assert table["name"] == kind
    assert all(cell != "" for row in table["rows"] for cell in list(row.values())[:2])


def test_methods_are_all_listed(sslc: Run) -> None:
    (table,) = document(sslc("list", "methods", "--json"))["tables"]
    assert [row["Method"] for row in table["rows"]] == list(METHODS)


def test_index_formats_are_those_that_a_machine_takes(sslc: Run) -> None:
    (table,) = document(sslc("list", "index-formats", "--json"))["tables"]
    listed = [row["Index format"] for row in table["rows"]]
    with pytest.raises(ValueError, match="format must be one of") as refused:
        Index("?", 1)
    for name in listed:
        assert name in str(refused.value)
    assert str(refused.value).count(",") == len(listed)  # between them, and before "got"


def test_hardware_keys_are_exactly_those_that_a_machine_can_be_built_from() -> None:
    keys = {key.name: key for key in hardware_keys()}
    assert all(key.meaning for key in keys.values())
    table = accelerator_table(load_accelerator("vitcod"))
    stated = {
        f"{name}.{inner}" if isinstance(value, dict) else name
        for name, value in table.items()
        for inner in (value if isinstance(value, dict) else ("",))
    }
    optional = {name for name, key in keys.items() if key.default == "not given"}
    assert stated | optional == set(keys)
    assert keys["dram.refresh_share"].default == "0.0"
    assert keys["index.decode"].takes == "ideal, queue"
    assert keys["lines"].default is None


@pytest.mark.parametrize(
    ("kind", "name"), [("accelerators", "vitcod"), ("cost-tables", "28nm"), ("models", "llama2-7b")]
)
def test_toml_is_the_file_as_it_ships(sslc: Run, kind: str, name: str) -> None:
    done = sslc("list", kind, "--toml", name)
    assert done.stdout == toml_of(kind, name)
    assert tomllib.loads(done.stdout)["name"] == name
    assert "# " in done.stdout


def test_toml_begins_a_machine_of_ones_own(sslc: Run, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(sslc("list", "accelerators", "--toml", "vitcod").stdout)
    made = load_accelerator(mine)
    assert made == load_accelerator("vitcod")


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("known: accelerators", ["things"]),
        ("did you mean vitcod", ["accelerators", "--toml", "vitcd"]),
        ("these are: models, vit, accelerators, cost-tables", ["methods", "--toml", "sslc"]),
        ("needs a KIND", ["--toml", "vitcod"]),
    ],
)
def test_list_refuses_in_one_sentence(sslc: Run, message: str, arguments: list[str]) -> None:
    done = sslc("list", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
