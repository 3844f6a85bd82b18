"""Energy and area: a case by hand, every constant matters, totals."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from accelerator_sim.machine.catalog import load_accelerator, load_cost_table
from accelerator_sim.machine.hardware import Accelerator, Bits, Buffer, Dram
from accelerator_sim.models.energy import Area, Energy, area, copy_bytes, energy
from accelerator_sim.planning.planner import plan_projection
from accelerator_sim.simulation.event import run_event
from tests.accelerator_sim.machine.test_costs import TABLE, write_table
from tests.accelerator_sim.machines import (
    block_by,
    projection,
    random_mask,
    small_machine,
    with_rows,
)
from workloads.masks.packed import SparseLowRankGemm
from workloads.results.codec import to_json
from workloads.support.errors import InputError


def busy() -> tuple[SparseLowRankGemm, Accelerator]:
    """Dense columns, factors and several tiles and tokens, so that every action happens."""
    mask = random_mask(12, 20, 0.4, seed=3)
    mask[:, ::5] = True
    made = machine(dense_threshold=0.8, denser_lines=1, bits=Bits(8, 4, 16, 32))
    return projection(mask, rank=3, tokens=5), made


def test_energy_one_tile_matches_hand_count(tmp_path: Path) -> None:
    """8 products of 8 by 8 bits into 32: 8·64·1 + 8·32·10 = 3072 pJ. 32 bitmap places: 96 pJ.

    Weight buffer: 12 bytes in and out, 24; activations: 8 in, 8 out, 16; outputs: 4 sums read and
    written and 4 outputs read, 12 of 4 bytes, 48. With roots 2, 4 and 8 at 2 pJ:
    2·(24·2 + 16·4 + 48·8) = 992 pJ. DRAM: 12 + 8 + 4 bytes, 168 pJ.
    """
    table = load_cost_table(write_table(tmp_path))
    result = run_event(plan_projection(four_rows(), machine()))
    found = energy(result, table, accelerator=machine())
    assert found == Energy(mac=3072.0, decode=96.0, sram=992.0, dram=168.0, link=0.0)
    assert found.total_pj == 3072 + 96 + 992 + 168


def test_energy_buffer_beyond_the_largest_bank_costs_as_that_bank(tmp_path: Path) -> None:
    """Banks of 16 KiB: the output buffer's root is 4 and not 8, so 48 bytes cost 192 less by 2."""
    text = TABLE.replace("sram_bank_kib = 100.0", "sram_bank_kib = 16.0")
    result = run_event(plan_projection(four_rows(), machine()))
    found = energy(result, load_cost_table(write_table(tmp_path, text)), accelerator=machine())
    assert found.sram == 992 - 2 * 48 * 4


def test_area_small_machine_matches_hand_count(tmp_path: Path) -> None:
    """4 MACs of 64 + 2·32 µm²; 2 lines of 8 decoders of 3; 84 KiB of 8192 bits of 4.

    Softmax: 64 multipliers of 16 by 16 bits and adders of 32, 64·(256 + 2·32).
    """
    found = area(machine(), load_cost_table(write_table(tmp_path)))
    assert found == Area(mac=512e-6, decode=48e-6, sram=84 * 8192 * 4 / 1e6, softmax=64 * 320 / 1e6)
    assert found.total_mm2 == found.mac + found.decode + found.sram + found.softmax


def test_energy_total_is_the_sum_of_parts_over_a_block() -> None:
    item, made = busy()
    block = block_by("event", [item, item], made)
    values = to_json(block)
    for runs in values["energy"].values():
        for run, parts in runs.items():
            assert parts.pop("total_pj") == sum(parts.values())
            once = values["projections"][0]["energy"][run]
            assert parts == {name: 2 * once[name] for name in parts}
    assert values["cost_table"] == "28nm"
    total = values["area"].pop("total_mm2")
    assert total == sum(values["area"].values())


@pytest.mark.parametrize("model", ["published", "roofline"])
def test_simulate_block_without_a_run_has_area_and_no_energy(model: Any) -> None:
    item, made = busy()
    block = block_by(model, [item], made)
    assert block.energy == {}
    assert block.area == area(made, load_cost_table())


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("multiply_pj_per_bit2", "mac"),
        ("add_pj_per_bit", "mac"),
        ("decode_pj", "decode"),
        ("sram_pj_per_byte_root_kib", "sram"),
        ("link_pj_per_bit", "link"),
        ("ddr4", "dram"),
    ],
)
def test_energy_each_constant_twice_adds_to_its_part_alone(key: str, part: str) -> None:
    item, made = busy()
    result = run_event(plan_projection(item, made))
    table = load_cost_table()
    costs = table.energy
    value: Any = {**costs.dram_pj_per_byte, key: 2 * costs.dram_pj_per_byte.get(key, 0)}
    name = "dram_pj_per_byte"
    if key != "ddr4":
        name, value = key, 2 * getattr(costs, key)
    more = dataclasses.replace(table, energy=dataclasses.replace(costs, **{name: value}))
    before = dataclasses.asdict(energy(result, table, accelerator=made))
    after = dataclasses.asdict(energy(result, more, accelerator=made))
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {part}
    if part not in ("mac", "dram"):
        assert after[part] == 2 * before[part]


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("multiply_um2_per_bit2", {"mac", "softmax"}),
        ("add_um2_per_bit", {"mac", "softmax"}),
        ("decode_um2", {"decode"}),
        ("sram_um2_per_bit", {"sram"}),
        ("register_um2_per_bit", {"queues"}),
    ],
)
def test_area_each_constant_twice_adds_to_its_part_alone(key: str, part: set[str]) -> None:
    table = load_cost_table()
    doubled = dataclasses.replace(table.area, **{key: 2 * getattr(table.area, key)})
    before = dataclasses.asdict(area(machine(), table))
    after = dataclasses.asdict(area(machine(), dataclasses.replace(table, area=doubled)))
    assert {name for name in before if after[name] > before[name]} == part


def test_energy_every_technology_of_a_table_changes_the_dram_part() -> None:
    table = load_cost_table()
    item, made = busy()
    result = run_event(plan_projection(item, made))
    moved = result.actions.dram_read_bytes + result.actions.dram_write_bytes
    found = {
        name: energy(result, table, accelerator=with_technology(made, name)).dram
        for name in table.energy.dram_pj_per_byte
    }
    phy = table.energy.phy_pj_per_byte
    expected = {n: moved * (pj + phy[n]) for n, pj in table.energy.dram_pj_per_byte.items()}
    assert found == expected
    assert len(set(found.values())) == len(found)


def with_technology(made: Accelerator, technology: str) -> Accelerator:
    dram: Dram = dataclasses.replace(made.dram, technology=technology)
    return dataclasses.replace(made, dram=dram)


def test_energy_unknown_technology_names_table_and_known_ones() -> None:
    item, made = busy()
    result = run_event(plan_projection(item, made))
    message = r"table 28nm: \[energy.dram_pj_per_byte\]: unknown technology 'hbm9': did you mean"
    with pytest.raises(InputError, match=message):
        energy(result, load_cost_table(), accelerator=with_technology(made, "hbm9"))


def four_rows() -> SparseLowRankGemm:
    """The 4x8 tile of the event model's first hand count: rows keep 4, 1, 2 and 1 columns."""
    return projection(with_rows([4, 1, 2, 1], 8))


def machine(**changes: Any) -> Accelerator:
    """The small machine with buffers of 4, 16 and 64 KiB, so that their roots are 2, 4 and 8."""
    buffers = [Buffer(kib * 1024, 2) for kib in (4, 16, 64)]
    names = ("weight_buffer", "activation_buffer", "output_buffer")
    return small_machine(**dict(zip(names, buffers, strict=True)), **changes)


def test_energy_of_gathers_and_time_matches_hand_count(tmp_path: Path) -> None:
    """Four rows of two nonzeros in columns 0 and 1, two lines, each of which takes two rows.

    Token-parallel with 8 banks: steps ask for columns 0, 1, 0, 1, each by both lines: 4 reads of
    a word of 2 tokens of 8 bits, 8 words over the crossbar. Banks of 16 / 8 = 2 KiB:
    4·2·2·√2 pJ; the crossbar is 16 bits · 2 lines · 8 banks of 1 mm², so 16 mm a side:
    8·16·5·16 pJ. Static: the area's watts, and 3 W per 10⁹ bytes a second.
    """
    text = TABLE.replace("crossbar_um2_per_bit = 0.0", "crossbar_um2_per_bit = 1e6")
    text = text.replace("static_watts_per_mm2 = 0.0", "static_watts_per_mm2 = 2.0")
    text = text.replace("gb_s]\nddr4 = 0.0\n[area]", "gb_s]\nddr4 = 3.0\n[area]")
    table = load_cost_table(write_table(tmp_path, text))
    made = machine(gather="banked", dataflow="token", activation_banks=8, denser_lines=0)
    result = run_event(plan_projection(projection(with_rows([2, 2, 2, 2], 8)), made))
    actions = result.actions
    assert (actions.bank_reads, actions.crossbar_words) == (4, 8)
    found = energy(result, table, accelerator=made)
    bank = made.activation_buffer.capacity_bytes / 8 / 1024
    assert found.gather == pytest.approx(4 * 2 * 2 * bank**0.5 + 8 * 16 * 5 * 16)
    assert area(made, table).gather == 256
    watts = 2 * area(made, table).total_mm2 + 3 * made.dram.bytes_per_second / 1e9
    assert found.static == pytest.approx(watts * result.cycles / made.clock_hz * 1e12)


def test_energy_of_copies_matches_hand_count(tmp_path: Path) -> None:
    """The tile's 8 inputs go into both lines' copies, 8 products read a byte."""
    table = load_cost_table(write_table(tmp_path))
    made = machine(gather="banked", denser_lines=0)
    result = run_event(plan_projection(projection(with_rows([2, 2, 2, 2], 8)), made))
    assert (result.actions.copied_bytes, result.actions.copy_read_bytes) == (16, 8)
    assert copy_bytes(result, made) == 8
    found = energy(result, table, accelerator=made)
    assert found.gather == pytest.approx(24 * 2 * (8 / 1024) ** 0.5)
    assert area(made, table, line_copy_bytes=8).gather == pytest.approx(2 * 8 * 8 * 4 / 1e6)


DEARER: dict[str, Any] = {
    "lines": 128,
    "macs_per_line": 128,
    "link_elements_per_cycle": 128,
    "softmax_elements_per_cycle": 128,
    "activation_banks": 128,
    "activation_ports": 2,
    "index.decode_per_cycle": 256,
    "index.decode_queue": 512,
    **{f"{operand}_buffer.capacity_bytes": 2**20 for operand in ("weight", "activation", "output")},
    "dram.bytes_per_second": 10**12,
    "dram.requests_per_cycle": 2,
    "dram.outstanding_requests": 8,
}
"""More of what can make a machine faster; ``docs/energy.md`` says why other fields cost nothing."""


@pytest.mark.parametrize("key", DEARER)
def test_area_of_more_hardware_is_larger_and_so_is_its_static_power(key: str) -> None:
    table = load_cost_table()
    before = load_accelerator("array-64x64")
    after = load_accelerator("array-64x64", {key: DEARER[key]})
    assert area(after, table).total_mm2 > area(before, table).total_mm2
    assert table.energy.static_watts_per_mm2 > 0
