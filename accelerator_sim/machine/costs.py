"""Energy and area: action counts and sizes times a table of sourced constants. Pure.

After ``result`` and ``hardware``. ``docs/energy.md`` has the counting rules and what is left out.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accelerator_sim.machine.hardware import Accelerator, Buffer
from accelerator_sim.simulation.result import RUNS, Area, Energy, EventResult, ProjectionCycles
from workloads.support.errors import InputError, unknown_name

_UM2_PER_MM2 = 1e6
_BITS_PER_KIB = 8192


@dataclass(frozen=True)
class EnergyTable:
    """Energy of an action, in pJ.

    Attributes:
        multiply_pj_per_bit2: Integer multiplication, per bit of one factor and bit of the other.
        add_pj_per_bit: Integer addition, per bit of the accumulator.
        decode_pj: Decoding one index, or one place of a bitmap.
        sram_pj_per_byte_root_kib: Reading or writing a byte of a bank of 1 KiB; grows with the
            square root of the bank's capacity.
        sram_bank_kib: Largest bank; a larger buffer is made of such banks.
        link_pj_per_bit: A bit over the accumulation link.
        dram_pj_per_byte: A byte to or from DRAM, by technology.
    """

    multiply_pj_per_bit2: float
    add_pj_per_bit: float
    decode_pj: float
    sram_pj_per_byte_root_kib: float
    sram_bank_kib: float
    link_pj_per_bit: float
    dram_pj_per_byte: Mapping[str, float]

    def __post_init__(self) -> None:
        _check_constants(self, skip="dram_pj_per_byte")
        if not isinstance(self.dram_pj_per_byte, Mapping) or not self.dram_pj_per_byte:
            raise ValueError("dram_pj_per_byte must be a table of technology = pJ per byte")
        for technology, value in self.dram_pj_per_byte.items():
            _check_constant(f"dram_pj_per_byte.{technology}", value)


@dataclass(frozen=True)
class AreaTable:
    """Area of a part, in µm².

    Attributes:
        multiply_um2_per_bit2: Integer multiplier, per bit of one factor and bit of the other.
        add_um2_per_bit: Adder of the accumulation, per bit.
        decode_um2: Decoder of one index, or of one place of a bitmap, per cycle.
        sram_um2_per_bit: A bit of a buffer, its share of the periphery included.
    """

    multiply_um2_per_bit2: float
    add_um2_per_bit: float
    decode_um2: float
    sram_um2_per_bit: float

    def __post_init__(self) -> None:
        _check_constants(self)


@dataclass(frozen=True)
class CostTable:
    """One technology: energy and area.

    Attributes:
        name: For reports.
        description: What it holds for.
        energy: Energy of actions.
        area: Area of parts.
    """

    name: str
    description: str
    energy: EnergyTable
    area: AreaTable


def energy(result: EventResult, table: CostTable, accelerator: Accelerator) -> Energy:
    """Energy of a run: its action counts times a table.

    A product costs its two widths' bits times ``multiply_pj_per_bit2`` and one addition at the
    accumulator's width; products with U and V have the factors' width.

    Args:
        result: From the event model.
        table: Technology.
        accelerator: The machine that was run: widths, capacities, DRAM technology.

    Raises:
        InputError: The table has no entry for the machine's DRAM technology.
    """
    costs, actions, bits = table.energy, result.actions, accelerator.bits
    technology = accelerator.dram.technology
    if technology not in costs.dram_pj_per_byte:
        missing = unknown_name("technology", technology, costs.dram_pj_per_byte)
        raise InputError(f"table {table.name}: [energy.dram_pj_per_byte]: {missing}")
    products = (
        (actions.macs - actions.factor_macs) * bits.weight + actions.factor_macs * bits.factor
    ) * bits.activation
    buffers = (
        (actions.weight_buffer_bytes, accelerator.weight_buffer),
        (actions.activation_buffer_bytes, accelerator.activation_buffer),
        (actions.output_buffer_bytes, accelerator.output_buffer),
    )
    moved = actions.dram_read_bytes + actions.dram_write_bytes
    return Energy(
        mac=products * costs.multiply_pj_per_bit2
        + actions.macs * bits.accumulator * costs.add_pj_per_bit,
        decode=actions.decoded * costs.decode_pj,
        sram=costs.sram_pj_per_byte_root_kib
        * sum(
            count * math.sqrt(min(_kib(buffer), costs.sram_bank_kib)) for count, buffer in buffers
        ),
        dram=moved * costs.dram_pj_per_byte[technology],
        link=actions.link_elements * bits.accumulator * costs.link_pj_per_bit,
    )


def with_energy(
    cycles: ProjectionCycles, accelerator: Accelerator, table: CostTable
) -> ProjectionCycles:
    """A projection's cycles with the energy of each run; as they are where no run was simulated.

    Raises:
        InputError: As for ``energy``.
    """
    runs = (cycles.dense_run, cycles.sparse_run, cycles.sum_run)
    energies = {
        name: energy(run, table, accelerator)
        for name, run in zip(RUNS, runs, strict=True)
        if run is not None
    }
    return dataclasses.replace(cycles, energy=energies or None)


def area(accelerator: Accelerator, table: CostTable) -> Area:
    """Area of a machine's MACs, index decoders and buffers; nothing else is counted.

    A multiplier is as wide as the wider of weights and factors. Every line has its decoders.
    """
    costs, bits = table.area, accelerator.bits
    multiplier = max(bits.weight, bits.factor) * bits.activation * costs.multiply_um2_per_bit2
    adder = bits.accumulator * costs.add_um2_per_bit
    decoders = accelerator.lines * accelerator.index.decode_per_cycle
    buffers = (
        accelerator.weight_buffer,
        accelerator.activation_buffer,
        accelerator.output_buffer,
    )
    stored = sum(_kib(buffer) for buffer in buffers) * _BITS_PER_KIB
    return Area(
        mac=accelerator.peak_macs * (multiplier + adder) / _UM2_PER_MM2,
        decode=decoders * costs.decode_um2 / _UM2_PER_MM2,
        sram=stored * costs.sram_um2_per_bit / _UM2_PER_MM2,
    )


def _kib(buffer: Buffer) -> float:
    return buffer.capacity_bytes / 1024


def _check_constants(table: Any, skip: str = "") -> None:
    for field in dataclasses.fields(table):
        if field.name != skip:
            _check_constant(field.name, getattr(table, field.name))


def _check_constant(name: str, value: object) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value < math.inf:  # type: ignore[operator]
        raise ValueError(f"{name} must be a number of at least 0, got {value!r}")
