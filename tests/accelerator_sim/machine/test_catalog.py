"""Presets and users' files: strict keys, errors that say where."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accelerator_sim.machine.catalog import (
    accelerator_names,
    load_accelerator,
    load_cost_table,
    parse_override,
)
from accelerator_sim.machine.identity import differences
from accelerator_sim.machine.renamed import PRESETS
from reports.tables.catalogue import accelerators_table
from tests.accelerator_sim.machines import block_by
from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.masks.synthetic import wanda_lognormal_mask
from workloads.results.table import render
from workloads.shapes.gemm import Gemm
from workloads.support.errors import InputError


def preset_text(name: str) -> str:
    import accelerator_sim

    folder = Path(accelerator_sim.__file__).parent / "machine" / "presets"
    return (folder / f"{name}.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", accelerator_names())
def test_load_accelerator_preset_has_its_name_and_a_source_per_number(name: str) -> None:
    assert load_accelerator(name).name == name
    values = [line for line in preset_text(name).splitlines() if "=" in line.partition("#")[0]]
    words = ("name =", "description =", "base =")
    bare = [
        line
        for line in values
        if "#" not in line and "auto" not in line and not line.startswith(words)
    ]
    assert bare == []


@pytest.mark.parametrize("name", accelerator_names())
def test_load_accelerator_preset_runs_a_token_and_costs_energy(name: str) -> None:
    machine = load_accelerator(name)
    mask = wanda_lognormal_mask(96, 256, 96 * 128, seed=1)
    if machine.index.n_of_m:
        mask = PackedMask.pack(np.tile([True, False, False, True], (96, 64)))
    item = SparseLowRankGemm(Gemm("p", "MHA", 96, 256), mask, rank=8)
    block = block_by("event", [item], machine)
    run = block.projections[0].sum_run
    assert run is not None
    assert run.cycles >= run.roofline_cycles
    assert run.actions.macs - run.actions.executed_zeros == 96 * 128 + 8 * (96 + 256)
    assert block.energy["MHA"]["sum"].dram > 0


@pytest.mark.parametrize("name", accelerator_names())
def test_load_accelerator_preset_says_what_it_stands_for(name: str) -> None:
    description = load_accelerator(name).description
    assert description
    assert description in render(accelerators_table(), "csv")


def test_load_accelerator_array_is_the_published_machine() -> None:
    array = load_accelerator("array-64x64")
    assert array.peak_macs == 4096
    assert float(array.peak_bytes_per_cycle) == 153.6


def test_load_accelerator_base_is_the_preset_but_for_what_the_file_says(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('base = "array-64x64"\nlines = 8\n[dram]\nefficiency = 0.5\n')
    changes = {"lines": 8, "dram.efficiency": 0.5}
    assert load_accelerator(path) == load_accelerator("array-64x64", changes)
    ideal = {"dram.efficiency": 1.0, "dram.refresh_share": 0.0}
    assert differences(
        load_accelerator("array-64x64"), load_accelerator("array-64x64-ideal-dram")
    ) == {"name": "array-64x64-ideal-dram", **ideal}


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ('"array"', "mine.toml:1: base: unknown accelerator 'array': did you mean array-64x64"),
        ("3", "mine.toml:1: base must be a preset's name, got 3"),
        (
            '"tpu-v4"',
            "mine.toml:1: base: accelerator 'tpu-v4' is called 'tpu-v4-class",
        ),
    ],
)
def test_load_accelerator_bad_base_is_refused(base: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f"base = {base}\n")
    with pytest.raises(InputError, match=message):
        load_accelerator(path)


@pytest.mark.parametrize(("former", "name"), PRESETS.items())
def test_load_accelerator_former_name_says_the_new_one(former: str, name: str) -> None:
    with pytest.raises(InputError, match=f"'{former}' is called '{name}' now"):
        load_accelerator(former)
    assert name in accelerator_names()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("weight_buffer.buffering", "double", r"\[weight_buffer\]: .*: write slots = 2, or slots"),
        ("output_buffer.buffering", "single", r"\[output_buffer\]: .*: write slots = 1, or slots"),
        ("activation_buffer.buffering", 3, "write slots = 1 for single, slots = 2 for double"),
        ("dram.latency_cycles", 25, r"\[dram\]: .* write latency_ns = 50 for 25 cycles"),
        ("dram.latency_cycles", "x", "write latency_ns, which is cycles times 1e9 / clock_hz"),
    ],
)
def test_load_accelerator_former_field_says_what_to_write(
    key: str, value: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        load_accelerator("vitcod", {key: value})


def test_load_accelerator_vitcod_is_the_published_configuration() -> None:
    vitcod = load_accelerator("vitcod")
    assert (vitcod.clock_hz, vitcod.lines, vitcod.macs_per_line) == (500_000_000, 64, 8)
    assert vitcod.output_buffer.capacity_bytes == 108 * 1024


def test_load_accelerator_file_loads_like_a_preset(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(preset_text("vitcod"), encoding="utf-8")
    assert load_accelerator(path) == load_accelerator("vitcod")


@pytest.mark.parametrize(
    ("name", "peak_tera_operations", "bytes_per_cycle"),
    [
        ("ethos-u65-class-unstructured", 1.024, 3.75),
        ("a100-class-unstructured", 623.7, 1446.1),
        ("tpu-v4-class-unstructured", 275.3, 1142.9),
        ("gddr6-aim-class-unstructured", 0.512, 512.0),
    ],
)
def test_load_accelerator_preset_has_its_published_peaks(
    name: str, peak_tera_operations: float, bytes_per_cycle: float
) -> None:
    machine = load_accelerator(name)
    operations = 2 * machine.peak_macs * machine.clock_hz
    assert operations / 1e12 == pytest.approx(peak_tera_operations, rel=1e-3)
    assert float(machine.peak_bytes_per_cycle) == pytest.approx(bytes_per_cycle, rel=1e-3)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("dram.efficency", 0.8, r"\[dram\].*unknown key 'efficency': did you mean efficiency"),
        ("dram.efficiency", 1.5, r"\[dram\].*efficiency must be in \(0, 1\], got 1.5"),
        ("dram.channels", 2.5, r"\[dram\].*channels must be int"),
        (
            "index.format",
            "ell",
            r"\[index\].*csr, hierarchical_bitmap, run_length, or N:M such as 2:4 .*got 'ell'",
        ),
        (
            "loop_order",
            "row_stationary",
            "one of output_stationary, weight_stationary, activation_",
        ),
        ("index.format", "4:4", "N:M such as 2:4 with 1 <= N < M <= 64, got '4:4'"),
        ("index.format", "0:4", "got '0:4'"),
        ("index.format", "2:65", "got '2:65'"),
        ("index.format", 24, "format must be str"),
        ("index.run_bits", 0, "run_bits must be a whole number from 1 to 16, got 0"),
        ("index.run_bits", 17, "run_bits must be a whole number from 1 to 16, got 17"),
        ("dram.efficiency", 0.123456789123, "denominator of at most 1000000000, got"),
        ("lines", 0, "lines must be a whole number from 1 to 1048576, got 0"),
        ("lines", True, "lines must be int"),
        ("denser_lines", 65, "denser_lines.*from 0 to 64, got 65"),
        ("denser_lines", "some", "denser_lines.*got 'some'"),
        ("tile.rows", 0, r"\[tile\].*rows.*from 1 to"),
        ("dram", 3, "dram must be a table"),
        ("cache.ways", 2, "override 'cache.ways': tables are"),
        ("speed", 2, "unknown key 'speed'"),
    ],
)
def test_load_accelerator_bad_value_names_table_and_key(key: str, value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_accelerator("vitcod", {key: value})


def test_load_accelerator_missing_table_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(preset_text("vitcod").replace("[link", "[no").partition("[dram]")[0])
    with pytest.raises(InputError, match=r"mine\.toml: key 'dram' is missing"):
        load_accelerator(path)


def _line_of(text: str, start: str) -> int:
    return [line.startswith(start) for line in text.splitlines()].index(True) + 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("efficiency", "efficency", "[dram]: unknown key 'efficency': did you mean efficiency"),
        ("channels", "channels = 2.5 #", "[dram]: channels must be int, got 2.5"),
        ("latency_ns", "latency_ns = -1 #", "[dram]: latency_ns must be a number from 0"),
        ("lines =", "lines = 0 #", "lines must be a whole number from 1 to 1048576, got 0"),
        ("clock_hz", "speed", "unknown key 'speed': "),
        ("[index]", "[indexes]", "unknown key 'indexes': did you mean index"),
    ],
)
def test_load_accelerator_bad_key_in_a_file_names_its_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path, text = tmp_path / "mine.toml", preset_text("vitcod")
    line = _line_of(text, old)
    path.write_text(text.replace(f"\n{old}", f"\n{new}"))
    with pytest.raises(InputError) as error:
        load_accelerator(path)
    assert str(error.value).startswith(f"{path}:{line}: {message}")


def test_load_accelerator_missing_key_names_the_line_of_its_table(tmp_path: Path) -> None:
    path, text = tmp_path / "mine.toml", preset_text("vitcod")
    path.write_text(text.replace("\nburst_bytes", "\n# burst_bytes"))
    with pytest.raises(InputError) as error:
        load_accelerator(path)
    line = _line_of(text, "[dram]")
    assert str(error.value) == f"{path}:{line}: [dram]: key 'burst_bytes' is missing"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("dram.speed", 1, r"mine\.toml: \[dram\]: unknown key 'speed'"),
        ("dram.efficiency", 2, r"mine\.toml: \[dram\]: efficiency must be in"),
        ("dram", 3, r"mine\.toml: dram must be a table"),
    ],
)
def test_load_accelerator_bad_override_names_no_line_of_the_file(
    tmp_path: Path, key: str, value: int, message: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(preset_text("vitcod"))
    with pytest.raises(InputError, match=message):
        load_accelerator(path, {key: value})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("decode_pj", "decode_kj", "[energy]: unknown key 'decode_kj': did you mean decode_pj"),
        ("gddr5", "gddr5 = -1 #", "[energy]: dram_pj_per_byte.gddr5 must be a number of at least"),
        ("description", "descriptor", "unknown key 'descriptor': did you mean description"),
    ],
)
def test_load_cost_table_bad_key_in_a_file_names_its_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    import accelerator_sim

    path = tmp_path / "mine.toml"
    costs = Path(accelerator_sim.__file__).parent / "machine" / "cost_tables" / "28nm.toml"
    text = costs.read_text(encoding="utf-8")
    path.write_text(text.replace(f"\n{old}", f"\n{new}"))
    with pytest.raises(InputError) as error:
        load_cost_table(path)
    assert str(error.value).startswith(f"{path}:{_line_of(text, old)}: {message}")


def test_load_accelerator_unknown_name_lists_the_presets() -> None:
    with pytest.raises(InputError, match="unknown accelerator 'vitcot': did you mean vitcod"):
        load_accelerator("vitcot")


def test_parse_override_reads_toml_values_and_bare_words() -> None:
    assert parse_override("dram.efficiency=0.8") == ("dram.efficiency", 0.8)
    assert parse_override("tile.rows = auto") == ("tile.rows", "auto")
    with pytest.raises(InputError, match="write key=value"):
        parse_override("lines")
