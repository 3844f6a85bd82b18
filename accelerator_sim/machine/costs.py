"""Constants of energy and area, each with its source, as data. Pure.

``docs/energy.md`` has the counting rules and what is left out; ``models.energy`` multiplies.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workloads.support.errors import shown


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


def _check_constants(table: Any, skip: str = "") -> None:
    for field in dataclasses.fields(table):
        if field.name != skip:
            _check_constant(field.name, getattr(table, field.name))


def _check_constant(name: str, value: object) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value < math.inf:  # type: ignore[operator]
        raise ValueError(f"{name} must be a number of at least 0, got {shown(value)}")
