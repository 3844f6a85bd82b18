"""``sslc simulate``: every reported number in ``--json``, and a cost table of the user's own."""

from pathlib import Path
from typing import Any

import pytest

from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.simulation.binding import RESOURCES
from tests.cli.conftest import Run, document, results_of, stored

ENGINES = ("denser", "sparser")
OPERANDS = ("weights", "factors", "activations", "outputs")


def _event(sslc: Run, artifact: Path, tmp_path: Path, *more: object) -> dict[str, Any]:
    run = ("simulate", artifact, "--cycle-model", "event", "--blocks", 1, "--save", tmp_path)
    [result] = results_of(sslc(*run, "--json", *more))
    return result


def test_simulate_json_explains_every_run(sslc: Run, artifact: Path, tmp_path: Path) -> None:
    result = _event(sslc, artifact, tmp_path, "--tokens", 2, "--set", "dense_threshold=0.55")
    machine = load_accelerator("array-64x64")
    balance = 4096 / 153.6
    assert len(result["blocks"][0]["projections"]) == 7
    for projection in result["blocks"][0]["projections"]:
        for name in ("dense_run", "sparse_run", "sum_run"):
            run = projection[name]
            line_cycles = machine.lines * run["cycles"]
            assert sum(sum(run[engine].values()) for engine in ENGINES) == line_cycles
            useful = run["actions"]["macs"] - run["actions"]["executed_zeros"]
            assert run["utilisation"] == pytest.approx(useful / (4096 * run["cycles"]))
            traffic = run["traffic"]
            assert sum(traffic[operand] for operand in OPERANDS) == traffic["total"] > 0
            assert 0 <= traffic["refetched"] < traffic["total"]
            position = run["roofline"]
            assert position["macs"] == useful
            assert position["macs_per_byte"] == pytest.approx(useful / position["bytes"])
            assert position["balance_macs_per_byte"] == pytest.approx(balance)
            assert position["bytes"] <= traffic["total"]
            assert position["bound"] == "memory"
            longest = max(position["bytes"] / 153.6, useful / 4096)
            assert run["roofline_cycles"] == pytest.approx(longest, abs=1)
            assert run["roofline_fraction"] == run["roofline_cycles"] / run["cycles"]
            bound = run["binding"]
            spent = sum(run[engine][r] for engine in ENGINES for r in RESOURCES[bound["resource"]])
            assert bound["share"] == pytest.approx(spent / line_cycles)
            assert spent >= max(run[e][r] for e in ENGINES for r in run[e])


def test_simulate_text_names_what_binds(sslc: Run, artifact: Path, tmp_path: Path) -> None:
    run = ("simulate", artifact, "--blocks", 1, "--save", tmp_path)
    done = sslc(*run)
    assert done.returncode == 0, done.stderr
    table = done.stdout.split("Where the time of a block goes, by module")[1]
    table = table.split("Energy of one block")[0]
    rows = [line for line in table.splitlines() if "array-64x64" in line]
    assert len(rows) == 4
    assert all("memory" in row for row in rows)
    assert "Where the time" not in sslc(*run, "--cycle-model", "published").stdout


def test_simulate_energy_takes_a_table_of_ones_own(
    sslc: Run, artifact: Path, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(_table("mine", dram=20.0))
    plain = _event(sslc, artifact, tmp_path)["blocks"][0]
    result = _event(sslc, artifact, tmp_path, "--energy", path)["blocks"][0]
    assert (plain["cost_table"], result["cost_table"]) == ("28nm", "mine")
    run = result["projections"][0]["sum_run"]["actions"]
    energy = result["projections"][0]["energy"]["sum"]
    assert energy["dram"] == 20.0 * (run["dram_read_bytes"] + run["dram_write_bytes"])
    assert energy["mac"] == pytest.approx(run["macs"] * (64 * 1.0 + 32 * 2.0))
    assert energy["total_pj"] == pytest.approx(
        sum(energy[part] for part in ("mac", "decode", "sram", "gather", "dram", "link", "static"))
    )
    done = sslc("simulate", artifact, "--blocks", 1, "--save", tmp_path, "--energy", path)
    energies = done.stdout.split("Energy of one block by module")[1]
    assert energies.count("mine") == 4
    assert "mine" in sslc("report", tmp_path).stdout.split("Energy of one block by module")[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dram = 5", "mine.toml:1: unknown key 'dram': did you mean name? known: area, des"),
        ("name = 'x'\n[area]", "mine.toml:2: [area]: keys multiply_um2"),
        ("name = ", "mine.toml: not TOML: Invalid value"),
    ],
)
def test_simulate_energy_bad_table_is_refused(
    sslc: Run, artifact: Path, tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    done = sslc("simulate", artifact, "--energy", path)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_simulate_energy_without_the_machines_memory_is_refused(
    sslc: Run, artifact: Path, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(_table("mine", dram=20.0))
    run = ("simulate", artifact, "--energy", path, "--save", tmp_path)
    done = sslc(*run, "--set", "dram.technology=hbm9")
    assert done.returncode == 2
    assert "table mine: [energy.dram_pj_per_byte]: unknown technology 'hbm9'" in done.stderr
    unknown = sslc("simulate", artifact, "--energy", "28mm")
    assert unknown.returncode == 2
    assert "unknown cost table '28mm': did you mean 28nm" in unknown.stderr


def _table(name: str, dram: float) -> str:
    return f"""
name = "{name}"
description = "made up"
[energy]
multiply_pj_per_bit2 = 1.0
add_pj_per_bit = 2.0
decode_pj = 0.5
sram_pj_per_byte_root_kib = 0.25
sram_bank_kib = 64
link_pj_per_bit = 0.125
static_watts_per_mm2 = 0.5
[energy.dram_pj_per_byte]
ddr4 = {dram}
[energy.phy_pj_per_byte]
ddr4 = 0.0
[energy.dram_background_watts_per_gb_s]
ddr4 = 0.0
[area.phy_mm2_per_gb_s]
ddr4 = 0.25
[area]
multiply_um2_per_bit2 = 1.0
add_um2_per_bit = 1.0
decode_um2 = 1.0
sram_um2_per_bit = 0.25
register_um2_per_bit = 1.0
crossbar_um2_per_bit = 1.0
"""


def test_simulate_name_is_shown_and_not_stored(sslc: Run, artifact: Path, tmp_path: Path) -> None:
    done = sslc(
        "simulate", artifact, "--cycle-model", "published", "--name", "My model", "--save", tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "My model" in done.stdout
    [found] = stored(tmp_path).values()
    assert found["identity"]["subject"]["model"] != "My model"
    shown = sslc("report", tmp_path, "--name", "array-64x64=My machine", "--json")
    document(shown)
    assert "My machine" in shown.stdout
    refused = sslc("report", tmp_path, "--name", "vitcod=x")
    assert refused.returncode == 2
    assert "unknown model, method or machine 'vitcod'" in refused.stderr
