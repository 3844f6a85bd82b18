"""How a machine is set up for one product: what belongs to the product, not to the machine. Pure.

Before ``tiling``: planning makes a configuration for each dataflow that the machine allows, and
everything after reads widths, dataflow and room for outputs from it.
"""

from dataclasses import dataclass
from typing import Literal

from accelerator_sim.machine.hardware import Accelerator, Buffer

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
    """

    dataflow: Flow
    value_bits: int
    sampled: bool = False
    weights_on_chip: bool = False

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
