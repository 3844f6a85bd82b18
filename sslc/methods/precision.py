"""In how many bits S, U and V are stored, as a user asks for it: settings that every method takes.

No torch here, so that methods are listed without it.
"""

from dataclasses import dataclass, fields

from workloads.artifact.storage import Storage

VALUE_FORMATS = {16: "BF16", 8: "I8", 6: "I6", 4: "I4"}
FACTOR_FORMATS = {(16, "int"): "BF16", (8, "int"): "I8", (8, "float"): "F8_E4M3"}
FEWEST_BITS = 4
"""With so many bits rounding to nearest loses too much."""
ENOUGH_BITS = 8
"""With so many bits what rounding loses is not worth fitting anything again."""
ROUNDINGS = ("auto", "nearest", "alternate", "propagate")


@dataclass(frozen=True)
class Precision:
    """How a projection is rounded for storage.

    Attributes:
        value_bits: Of a value of S: 16 (bf16), 8, 6 or 4 (whole numbers with bf16 scales); 0: as
            the run's dtype says.
        factor_bits: Of an entry of U and V: 16 (bf16) or 8, with a bf16 scale for each column; 0:
            as the run's dtype says.
        factor_format: Of 8 bits: ``int``, or ``float`` (fp8, e4m3).
        scale_columns: Columns of a row of S that share one scale; a multiple of 8.
        rounding: ``nearest``; ``alternate``, where U and V are fitted again to what rounding lost
            of S, and S to what it lost of them; ``propagate``, the same with the error of every
            column of S carried to the columns on its right (GPTQ), which needs X Xᵀ; ``auto``:
            the last with 4 bits and where the method has X Xᵀ, else the first with 8 bits and the
            second with 6.
        rounding_shrinkage: How far the off-diagonal of X Xᵀ is shrunk towards zero for it, in
            [0, 1]: few calibration tokens overfit it.
    """

    value_bits: int = 0
    factor_bits: int = 0
    factor_format: str = "int"
    scale_columns: int = 128
    rounding: str = "auto"
    rounding_shrinkage: float = 0.5

    def __post_init__(self) -> None:
        if self.value_bits not in (0, *VALUE_FORMATS):
            raise ValueError(f"value_bits must be 16, 8, 6, 4, or 0, got {self.value_bits}")
        if self.factor_bits not in (0, 16, 8):
            raise ValueError(f"factor_bits must be 16, 8, or 0, got {self.factor_bits}")
        if self.factor_format not in ("int", "float"):
            raise ValueError(f"factor_format must be int or float, got {self.factor_format!r}")
        if self.scale_columns < 8 or self.scale_columns % 8:
            raise ValueError(
                f"scale_columns must be a positive multiple of 8, got {self.scale_columns}"
            )
        if not 0 <= self.rounding_shrinkage <= 1:
            given = self.rounding_shrinkage
            raise ValueError(f"rounding_shrinkage must lie in [0, 1], got {given}")
        if self.rounding not in ROUNDINGS:
            raise ValueError(
                f"rounding must be one of {', '.join(ROUNDINGS)}, got {self.rounding!r}"
            )

    @property
    def whole_values(self) -> bool:
        """Whether values of S become whole numbers with scales."""
        return 0 < self.value_bits < 16

    @property
    def fits_again(self) -> bool:
        """Whether U, V and S make up for what rounding the other lost, errors not carried."""
        auto = self.rounding == "auto" and self.value_bits < ENOUGH_BITS
        return self.rounding == "alternate" or auto

    def storage(self, dtype: str, *, full: bool) -> Storage:
        """Formats of a projection.

        Args:
            dtype: Of the run.
            full: Whether S keeps every entry, so that no mask is stored.
        """
        values = VALUE_FORMATS[self.value_bits] if self.value_bits else dtype
        kind = self.factor_format if self.factor_bits == 8 else "int"
        factors = FACTOR_FORMATS[self.factor_bits, kind] if self.factor_bits else dtype
        columns = self.scale_columns if self.whole_values else 0
        return Storage(values, factors, columns, mask=not full)


AS_DTYPE = Precision()
PRECISION_SETTINGS = tuple(field.name for field in fields(Precision))
