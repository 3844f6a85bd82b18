"""Energy and area: action counts and sizes times a table of sourced constants. Pure."""

import dataclasses
import math
from dataclasses import dataclass
from typing import ClassVar

from accelerator_sim.machine.costs import CostTable
from accelerator_sim.machine.hardware import Accelerator, Buffer
from accelerator_sim.simulation.result import EventResult
from workloads.support.errors import InputError, unknown_name


@dataclass(frozen=True)
class Energy:
    """Energy by part, in pJ.

    Attributes:
        mac: Multiplications and additions, executed zeros included.
        decode: Index decode.
        sram: The three buffers.
        dram: Transfers, in whole bursts.
        link: The accumulation link.
    """

    DERIVED: ClassVar = ("total_pj",)

    mac: float
    decode: float
    sram: float
    dram: float
    link: float

    @property
    def total_pj(self) -> float:
        """Sum of the parts."""
        return float(sum(dataclasses.astuple(self)))


@dataclass(frozen=True)
class Area:
    """Area of a machine by part, in mm².

    Attributes:
        mac: Multipliers and adders.
        decode: Index decoders.
        sram: The three buffers.
    """

    DERIVED: ClassVar = ("total_mm2",)

    mac: float
    decode: float
    sram: float

    @property
    def total_mm2(self) -> float:
        """Sum of the parts."""
        return float(sum(dataclasses.astuple(self)))


_UM2_PER_MM2 = 1e6


_BITS_PER_KIB = 8192


def check_technology(table: CostTable, technology: str) -> None:
    """Refuse a machine whose DRAM has no energy, before anything runs on it.

    Args:
        table: Of energies.
        technology: Of the machine's DRAM.

    Raises:
        InputError: The table has no entry for it.
    """
    known = table.energy.dram_pj_per_byte
    if technology not in known:
        missing = unknown_name("technology", technology, known)
        raise InputError(f"table {table.name}: [energy.dram_pj_per_byte]: {missing}")


def energy(result: EventResult, table: CostTable, *, accelerator: Accelerator) -> Energy:
    """Energy of a run: its action counts times a table.

    A product costs its two widths' bits times ``multiply_pj_per_bit2`` and one addition at the
    accumulator's width; products with U and V have the factors' width.

    Args:
        result: From the event model.
        table: Technology.
        accelerator: The machine that was run: other widths, capacities, DRAM technology.

    Raises:
        InputError: The table has no entry for the machine's DRAM technology.
    """
    costs, actions, bits = table.energy, result.actions, accelerator.bits
    technology = accelerator.dram.technology
    check_technology(table, technology)
    products = (
        (actions.macs - actions.factor_macs) * result.value_bits + actions.factor_macs * bits.factor
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
