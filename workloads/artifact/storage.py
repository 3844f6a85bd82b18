"""How the numbers of a projection lie in a file: their formats, shapes and bytes. Below ``record``.

Floating-point values lie as they are. Integers of 8 bits are I8; those of 6 and 4 bits are a stream
of bits in U8: number i takes the bits b·i to b·(i + 1) − 1 of it, lowest first, in two's
complement, and the last byte is filled with zeros. A number times its scale is its value.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from workloads.masks.packed import StoredBits

FLOAT_BYTES = {"BF16": 2, "F16": 2, "F32": 4}
"""Bytes of a floating-point value by dtype."""
INTEGER_BITS = {"I8": 8, "I6": 6, "I4": 4}
FACTOR_BITS = {"BF16": 16, "F16": 16, "F32": 32, "I8": 8, "F8_E4M3": 8}
VALUE_BITS = {name: 8 * size for name, size in FLOAT_BYTES.items()} | INTEGER_BITS
SCALE = "BF16"
SCALE_BITS = 16
Part = tuple[str, tuple[int, ...]]
"""Dtype and shape of a tensor in a file."""


@dataclass(frozen=True)
class Storage:
    """Formats of one projection's parts.

    Attributes:
        values: Of S: ``BF16``, ``F16``, ``F32``, ``I8``, ``I6`` or ``I4``.
        factors: Of U and V: ``BF16``, ``F16``, ``F32``, ``I8`` or ``F8_E4M3``; the last two have
            one scale for each column.
        scale_columns: Columns of a row of S that share one scale; 0 where values need none.
        mask: Whether the mask lies in the file; without it every entry is kept.
    """

    values: str
    factors: str
    scale_columns: int = 0
    mask: bool = True

    @staticmethod
    def plain(dtype: str) -> "Storage":
        """Everything in one floating-point dtype, as versions 1 and 2 have it."""
        return Storage(dtype, dtype)

    @property
    def value_bits(self) -> int:
        """Of a value of S."""
        return VALUE_BITS[self.values]

    @property
    def factor_bits(self) -> int:
        """Of an entry of U or V."""
        return FACTOR_BITS[self.factors]

    @property
    def scaled_factors(self) -> bool:
        """Whether U and V have scales."""
        return self.factors not in FLOAT_BYTES

    @property
    def loaded(self) -> StoredBits | None:
        """What of its widths a simulator takes from the file: those of numbers with scales."""
        values = INTEGER_BITS.get(self.values)
        factors = self.factor_bits if self.scaled_factors else None
        if values is None and factors is None:
            return None
        return StoredBits(values, factors, self.scale_columns, self.scaled_factors)

    @property
    def float_bits(self) -> int:
        """The widest of its floating-point formats; 0 where it has none."""
        floats = [FLOAT_BYTES[kind] for kind in (self.values, self.factors) if kind in FLOAT_BYTES]
        return 8 * max(floats, default=0)

    def parts(self, m: int, n: int, *, rank: int, nonzeros: int) -> dict[str, Part]:
        """Dtype and shape of every tensor that holds S, U and V.

        Args:
            m: Rows.
            n: Columns.
            rank: Of U Vᵀ.
            nonzeros: Of S.
        """
        parts: dict[str, Part] = {"mask": ("U8", (m, -(-n // 8)))} if self.mask else {}
        if self.values in ("I6", "I4"):
            parts["values"] = ("U8", (-(-nonzeros * self.value_bits // 8),))
        else:
            parts["values"] = (self.values, (nonzeros,))
        if self.scale_columns:
            parts["value_scales"] = (SCALE, (m, -(-n // self.scale_columns)))
        parts |= {"u": (self.factors, (m, rank)), "v": (self.factors, (n, rank))}
        if self.scaled_factors:
            parts |= {"u_scales": (SCALE, (rank,)), "v_scales": (SCALE, (rank,))}
        return parts

    def stored_bytes(self, m: int, n: int, *, rank: int, nonzeros: int) -> int:
        """Bytes of mask, values, scales and factors; arguments as ``parts``."""
        parts = self.parts(m, n, rank=rank, nonzeros=nonzeros).values()
        return sum(_product(shape) * _DTYPE_BYTES[dtype] for dtype, shape in parts)

    def to_json(self) -> dict[str, Any]:
        """As it stands in the manifest."""
        return asdict(self)

    @staticmethod
    def from_json(item: Mapping[str, Any]) -> "Storage":
        """From an entry that the schema has accepted."""
        return Storage(**{**item, "scale_columns": int(item["scale_columns"])})


_DTYPE_BYTES = {**FLOAT_BYTES, "I8": 1, "U8": 1, "F8_E4M3": 1}


def _product(shape: tuple[int, ...]) -> int:
    product = 1
    for extent in shape:
        product *= extent
    return product
