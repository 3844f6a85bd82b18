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
        link_pj_per_bit: A bit over the accumulation link, and over a millimetre of a crossbar.
        static_watts_per_mm2: Leakage and clock of a machine, whatever it does.
        dram_pj_per_byte: A byte to or from DRAM, by technology.
        phy_pj_per_byte: The machine's side of the same byte.
        dram_background_watts_per_gb_s: DRAM that waits, per 10⁹ bytes a second of its peak.
    """

    multiply_pj_per_bit2: float
    add_pj_per_bit: float
    decode_pj: float
    sram_pj_per_byte_root_kib: float
    sram_bank_kib: float
    link_pj_per_bit: float
    static_watts_per_mm2: float
    dram_pj_per_byte: Mapping[str, float]
    phy_pj_per_byte: Mapping[str, float]
    dram_background_watts_per_gb_s: Mapping[str, float]

    def __post_init__(self) -> None:
        _check_constants(self)


@dataclass(frozen=True)
class AreaTable:
    """Area of a part, in µm².

    Attributes:
        multiply_um2_per_bit2: Integer multiplier, per bit of one factor and bit of the other.
        add_um2_per_bit: Adder of the accumulation, per bit.
        decode_um2: Decoder of one index, or of one place of a bitmap, per cycle.
        sram_um2_per_bit: A bit of a buffer, its share of the periphery included.
        register_um2_per_bit: A bit of a queue or of a pipeline register.
        crossbar_um2_per_bit: A bit where a bank's word crosses a line's.
        phy_mm2_per_gb_s: DRAM controller and PHY, per 10⁹ bytes a second, by technology; in mm².
    """

    multiply_um2_per_bit2: float
    add_um2_per_bit: float
    decode_um2: float
    sram_um2_per_bit: float
    register_um2_per_bit: float
    crossbar_um2_per_bit: float
    phy_mm2_per_gb_s: Mapping[str, float]

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


def _check_constants(table: Any) -> None:
    for field in dataclasses.fields(table):
        value = getattr(table, field.name)
        if field.type is float:
            _check_constant(field.name, value)
            continue
        if not isinstance(value, Mapping) or not value:
            raise ValueError(f"{field.name} must be a table of technology = number")
        for technology, number in value.items():
            _check_constant(f"{field.name}.{technology}", number)


def _check_constant(name: str, value: object) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value < math.inf:  # type: ignore[operator]
        raise ValueError(f"{name} must be a number of at least 0, got {shown(value)}")
