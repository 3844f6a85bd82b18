"""Tables of energies and areas: errors that say where, a source for every number."""

from pathlib import Path

import pytest

from accelerator_sim.machine.catalog import cost_table_names, load_cost_table
from accelerator_sim.machine.costs import CostTable
from workloads.support.errors import InputError

TABLE = """
name = "mine"
description = "round numbers"
[energy]
multiply_pj_per_bit2 = 1.0
add_pj_per_bit = 10.0
decode_pj = 3.0
sram_pj_per_byte_root_kib = 2.0
sram_bank_kib = 100.0
link_pj_per_bit = 5.0
static_watts_per_mm2 = 0.0
[energy.dram_pj_per_byte]
ddr4 = 7.0
[energy.phy_pj_per_byte]
ddr4 = 0.0
[energy.dram_background_watts_per_gb_s]
ddr4 = 0.0
[area]
multiply_um2_per_bit2 = 1.0
add_um2_per_bit = 2.0
decode_um2 = 3.0
sram_um2_per_bit = 4.0
register_um2_per_bit = 0.0
crossbar_um2_per_bit = 0.0
[area.phy_mm2_per_gb_s]
ddr4 = 0.0
"""


def write_table(folder: Path, text: str = TABLE) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("decode_pj = 3.0\n", "", r"mine.toml:4: \[energy\]: key 'decode_pj' is missing"),
        ("decode_pj", "decod_pj", r"mine.toml:7: \[energy\].*unknown key 'decod_pj'.*decode_pj"),
        ("link_pj_per_bit = 5.0", "link_pj_per_bit = -5.0", r"\[energy\]: link_pj_per_bit.*-5.0"),
        ("link_pj_per_bit = 5.0", "link_pj_per_bit = nan", r"\[energy\]: link_pj_per_bit.*nan"),
        ("ddr4 = 7.0", "ddr4 = true", r"\[energy\]: dram_pj_per_byte.ddr4 must be a number"),
        ("ddr4 = 7.0", "", r"dram_pj_per_byte must be a table"),
        ("decode_um2 = 3.0", 'decode_um2 = "x"', r"\[area\]: decode_um2 must be float, got 'x'"),
        ('name = "mine"', "name = 3", "mine.toml:2: name must be str, got 3"),
        ("description", "descriptor", "mine.toml:3: unknown key 'descriptor': did you mean descr"),
    ],
)
def test_load_cost_table_bad_file_names_table_and_key(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in TABLE
    with pytest.raises(InputError, match=message):
        load_cost_table(write_table(tmp_path, TABLE.replace(old, new)))


def test_load_cost_table_without_several_keys_names_them_all(tmp_path: Path) -> None:
    text = TABLE.partition("register_um2")[0]
    with pytest.raises(InputError, match=r"\[area\]: keys register_um2_per_bit, crossbar_.* 28nm"):
        load_cost_table(write_table(tmp_path, text))


def test_load_cost_table_unknown_name_lists_the_tables() -> None:
    with pytest.raises(InputError, match="unknown cost table '29nm': did you mean 28nm"):
        load_cost_table("29nm")


@pytest.mark.parametrize("name", cost_table_names())
def test_load_cost_table_shipped_table_has_a_source_per_number(name: str) -> None:
    import accelerator_sim

    table: CostTable = load_cost_table(name)
    assert table.name == name
    path = Path(accelerator_sim.__file__).parent / "machine" / "cost_tables" / f"{name}.toml"
    values = [line for line in path.read_text("utf-8").splitlines() if " = " in line[:40]]
    numbers = [line for line in values if not line.startswith(("#", "name", "description"))]
    assert len(numbers) == 13 + 4 * len(table.energy.dram_pj_per_byte)
    assert [line for line in numbers if not line.partition("#")[2].strip()] == []
