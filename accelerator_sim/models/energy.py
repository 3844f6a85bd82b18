"""Energy and area: action counts and sizes times a table of sourced constants. Pure."""

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
        dram: Transfers, in whole bursts, on both sides of the pins.
        link: The accumulation link.
        gather: Reads of banks, crossbar and the lines' copies of inputs.
        static: Leakage and clock of the machine, and DRAM that waits, over the run's time.
    """

    DERIVED: ClassVar = ("total_pj",)

    mac: float
    decode: float
    sram: float
    dram: float
    link: float
    gather: float = 0.0
    static: float = 0.0

    @property
    def total_pj(self) -> float:
        """Sum of the parts."""
        parts = (self.mac, self.decode, self.sram, self.dram, self.link, self.gather, self.static)
        return float(sum(parts))


@dataclass(frozen=True)
class Area:
    """Area of a machine by part, in mm².

    Attributes:
        mac: Multipliers and adders.
        decode: Index decoders.
        sram: The three buffers.
        queues: Decode queues, registers of the link and of raised requests.
        gather: Crossbar of the banks, and the lines' copies of inputs.
        phy: DRAM controller and PHY.
        softmax: A multiplier and an adder for each element of a cycle.
    """

    DERIVED: ClassVar = ("total_mm2",)

    mac: float
    decode: float
    sram: float
    queues: float = 0.0
    gather: float = 0.0
    phy: float = 0.0
    softmax: float = 0.0

    @property
    def total_mm2(self) -> float:
        """Sum of the parts."""
        logic = (self.mac, self.decode, self.sram, self.queues)
        return float(sum((*logic, self.gather, self.phy, self.softmax)))


_UM2_PER_MM2 = 1e6
_BITS_PER_KIB = 8192
_PJ_PER_J = 1e12
_GIGA = 1e9
_REQUEST_BITS = 64
"""Of a raised request: address, size and slot; an assumption."""
_SOFTMAX_BITS = 16
"""Factors of the multiplier that stands for an exponential; an assumption."""


def check_technology(table: CostTable, technology: str) -> None:
    """Refuse a machine whose DRAM has no energy, before anything runs on it.

    Args:
        table: Of energies.
        technology: Of the machine's DRAM.

    Raises:
        InputError: The table has no entry for it.
    """
    tables = {
        "energy.dram_pj_per_byte": table.energy.dram_pj_per_byte,
        "energy.phy_pj_per_byte": table.energy.phy_pj_per_byte,
        "energy.dram_background_watts_per_gb_s": table.energy.dram_background_watts_per_gb_s,
        "area.phy_mm2_per_gb_s": table.area.phy_mm2_per_gb_s,
    }
    for name, known in tables.items():
        if technology not in known:
            missing = unknown_name("technology", technology, known)
            raise InputError(f"table {table.name}: [{name}]: {missing}")


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
    per_byte = costs.dram_pj_per_byte[technology] + costs.phy_pj_per_byte[technology]
    return Energy(
        mac=products * costs.multiply_pj_per_bit2
        + actions.macs * bits.accumulator * costs.add_pj_per_bit,
        decode=actions.decoded * costs.decode_pj,
        sram=costs.sram_pj_per_byte_root_kib
        * sum(
            count * math.sqrt(min(_kib(buffer), costs.sram_bank_kib)) for count, buffer in buffers
        ),
        dram=moved * per_byte,
        link=actions.link_elements * bits.accumulator * costs.link_pj_per_bit,
        gather=_gather_pj(result, table, accelerator),
        static=_static_watts(result, table, accelerator)
        * (result.cycles / accelerator.clock_hz)
        * _PJ_PER_J,
    )


def copy_bytes(result: EventResult, accelerator: Accelerator) -> int:
    """A line's copy of the inputs of a run's tile; 0 where lines have none."""
    if not result.actions.copied_bytes:
        return 0
    _, columns, tokens = result.tile
    return -(-columns * tokens * accelerator.bits.activation // 8)


def _gather_pj(result: EventResult, table: CostTable, accelerator: Accelerator) -> float:
    """Reads of banks, words over the crossbar's side, and copies written and read."""
    costs, actions = table.energy, result.actions
    bank = min(
        _kib(accelerator.activation_buffer) / accelerator.activation_banks, costs.sram_bank_kib
    )
    word = accelerator.macs_per_line * accelerator.bits.activation
    copied = actions.copied_bytes + actions.copy_read_bytes
    side = math.sqrt(_crossbar_mm2(accelerator, table))
    per_byte = costs.sram_pj_per_byte_root_kib
    return (
        actions.bank_reads * word / 8 * per_byte * math.sqrt(bank)
        + actions.crossbar_words * word * costs.link_pj_per_bit * side
        + copied * per_byte * math.sqrt(copy_bytes(result, accelerator) / 1024)
    )


def _static_watts(result: EventResult, table: CostTable, accelerator: Accelerator) -> float:
    dram = accelerator.dram
    waiting = table.energy.dram_background_watts_per_gb_s[dram.technology]
    size = area(accelerator, table, line_copy_bytes=copy_bytes(result, accelerator))
    return (
        size.total_mm2 * table.energy.static_watts_per_mm2 + dram.bytes_per_second / _GIGA * waiting
    )


def area(accelerator: Accelerator, table: CostTable, *, line_copy_bytes: int = 0) -> Area:
    """Area of a machine; control and registers inside the lines are not counted.

    A multiplier is as wide as the wider of weights and factors. Every line has its decoders. A
    further port of the banks makes the activation buffer as large again, and the crossbar.

    Args:
        accelerator: The machine.
        table: Technology; without the machine's DRAM in it, no PHY is counted.
        line_copy_bytes: Inputs that each line holds a copy of, from ``copy_bytes``.
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
    ports = accelerator.activation_ports if _has_banks(accelerator) else 1
    stored = sum(_kib(buffer) for buffer in buffers) * _BITS_PER_KIB
    stored += (ports - 1) * _kib(accelerator.activation_buffer) * _BITS_PER_KIB
    copies = accelerator.lines * line_copy_bytes * 8 * costs.sram_um2_per_bit
    softmax = _SOFTMAX_BITS**2 * costs.multiply_um2_per_bit2 + adder
    phy = costs.phy_mm2_per_gb_s.get(accelerator.dram.technology, 0.0)
    return Area(
        mac=accelerator.peak_macs * (multiplier + adder) / _UM2_PER_MM2,
        decode=decoders * costs.decode_um2 / _UM2_PER_MM2,
        sram=stored * costs.sram_um2_per_bit / _UM2_PER_MM2,
        queues=_queue_bits(accelerator) * costs.register_um2_per_bit / _UM2_PER_MM2,
        gather=_crossbar_mm2(accelerator, table) + copies / _UM2_PER_MM2,
        phy=accelerator.dram.bytes_per_second / _GIGA * phy,
        softmax=accelerator.softmax_elements_per_cycle * softmax / _UM2_PER_MM2,
    )


def _has_banks(accelerator: Accelerator) -> bool:
    """Whether lines may gather from banks: not where they reduce, or where gathers are ideal."""
    return accelerator.gather == "banked" and accelerator.dataflow != "reduction"


def _crossbar_mm2(accelerator: Accelerator, table: CostTable) -> float:
    """Words of P tokens x lines x banks x ports."""
    if not _has_banks(accelerator):
        return 0.0
    word = accelerator.macs_per_line * accelerator.bits.activation
    crossings = accelerator.lines * accelerator.activation_banks * accelerator.activation_ports
    return word * crossings * table.area.crossbar_um2_per_bit / _UM2_PER_MM2


def _queue_bits(accelerator: Accelerator) -> int:
    """Registers: decode queues of value and input, both ends of the link, requests that wait."""
    index, bits, dram = accelerator.index, accelerator.bits, accelerator.dram
    link = 2 * accelerator.link_elements_per_cycle * bits.accumulator
    decode = 0
    if index.queued:
        products = accelerator.decode_queue
        decode = accelerator.lines * products * (bits.weight + bits.activation)
    waiting = 0
    if dram.outstanding_requests != "unlimited" and dram.requests_per_cycle != "unlimited":
        waiting = 2 * dram.outstanding_requests * dram.requests_per_cycle * _REQUEST_BITS
    return link + decode + waiting


def _kib(buffer: Buffer) -> float:
    return buffer.capacity_bytes / 1024
