"""How a machine is set up for one product: what belongs to the product, not to the machine. Pure.

Before ``tiling``: planning makes a configuration for each dataflow that the machine allows, and
everything after reads widths, dataflow and room for outputs from it.
"""

from dataclasses import dataclass, replace
from typing import Literal

from accelerator_sim.machine.hardware import Accelerator, Buffer
from workloads.masks.packed import SparseLowRankGemm
from workloads.support.errors import InputError

Flow = Literal["reduction", "token"]
FLOWS: tuple[Flow, Flow] = ("reduction", "token")


@dataclass(frozen=True)
class Configuration:
    """One product on a machine, apart from its tile and its split.

    Attributes:
        dataflow: The machine's own, or the one that planning chose for ``auto``.
        value_bits: Width of a stationary value: of S, or of K, V and scores, which are as wide as
            activations.
        sampled: The product is Q Kᵀ at the places of a mask.
        weights_on_chip: The weights are scores in one of two slots of the output buffer.
        scale_columns: Columns of a row of S that share a 16-bit scale; 0: values have none.
        factor_scales: Whether every column of U and V has one.
    """

    dataflow: Flow
    value_bits: int
    sampled: bool = False
    weights_on_chip: bool = False
    scale_columns: int = 0
    factor_scales: bool = False

    @property
    def timed_as(self) -> Flow:
        """The dataflow whose arithmetic a row takes.

        A line that reduces takes the products of one sampled score P at a time, c·⌈head_dim / P⌉
        for c places: what ``token`` takes. A line that serves P tokens takes P scores of a row at
        a time.
        """
        if not self.sampled:
            return self.dataflow
        return "token" if self.dataflow == "reduction" else "reduction"

    def output_buffer(self, accelerator: Accelerator) -> Buffer:
        """What outputs have: the whole buffer, or the slot that scores leave."""
        if not self.weights_on_chip:
            return accelerator.output_buffer
        return Buffer(accelerator.output_buffer.capacity_bytes // 2, 1)


def allowed_flows(accelerator: Accelerator) -> tuple[Flow, ...]:
    """The machine's dataflow; both where it is ``auto``."""
    return FLOWS if accelerator.dataflow == "auto" else (accelerator.dataflow,)


def as_stored(projection: SparseLowRankGemm, accelerator: Accelerator) -> Accelerator:
    """The machine with the widths that a projection is loaded in; its multipliers stay as they are.

    Args:
        projection: Its numbers may be narrower than the machine's: then fewer bytes are moved and
            kept in buffers.
        accelerator: The machine.

    Raises:
        InputError: A number is wider than the machine takes.
    """
    stored, bits = projection.stored, accelerator.bits
    if stored is None:
        return accelerator
    for operand, width in (("weight", stored.values), ("factor", stored.factors)):
        if width is not None and width > getattr(bits, operand):
            raise InputError(
                f"{projection.gemm.name}: stored in {width} bits, and bits.{operand} of machine "
                f"{accelerator.name} is {getattr(bits, operand)}; a machine with "
                f"bits.{operand}={width} takes it"
            )
    weight, factor = stored.values or bits.weight, stored.factors or bits.factor
    return replace(accelerator, bits=replace(bits, weight=weight, factor=factor))
