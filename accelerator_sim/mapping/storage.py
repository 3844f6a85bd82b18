"""What is held on chip: slots, residency, and whether a tile fits. Pure.

Double buffering is two slots of half the capacity. An operand of a whole token block (with
stationary weights, of all tokens) that fits one slot stays there (resident); otherwise it goes
through the slots tile by tile. What the loop order leaves unfinished must fit: a row block for all
tokens with stationary weights, all rows of a token block with stationary activations. With the
overlapped schedule the weight slots are halved between the main stream and U. The accumulators of
Vᵀx have their place in the output buffer for the whole run.
"""

from dataclasses import dataclass

from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.program import Program
from accelerator_sim.mapping.timing import ceil_div

_ACCUMULATORS = {
    "output_stationary": "accumulators",
    "weight_stationary": "accumulators of a tile's rows for all tokens",
    "activation_stationary": "accumulators of all rows",
}


@dataclass(frozen=True)
class Need:
    """One check: an operand, the bytes that it needs in a slot, and the bytes that it has."""

    operand: str
    needed: int
    available: int

    @property
    def fits(self) -> bool:
        """Whether the operand fits its slot."""
        return self.needed <= self.available


@dataclass(frozen=True)
class Storage:
    """What stays on chip.

    Attributes:
        activations_resident: All activations of a token block share one slot; those of all tokens
            when weights are stationary.
        outputs_resident: So do all accumulators.
        needs: The checks that the tiles must pass.
    """

    activations_resident: bool
    outputs_resident: bool
    needs: tuple[Need, ...]

    @property
    def fits(self) -> bool:
        """Whether every operand fits."""
        return all(need.fits for need in self.needs)


def storage_of(program: Program) -> Storage:
    """How a program's operands are held in the accelerator's buffers."""
    accelerator, tiled = program.accelerator, program.tiled
    tokens = program.held_tokens
    inputs = _whole_bytes(tiled.gemm.n * tokens, accelerator.bits.activation)
    activations = accelerator.activation_buffer
    resident = inputs <= activations.capacity_bytes // activations.slots
    needs = []
    weight_slot = accelerator.weight_buffer.capacity_bytes // accelerator.weight_buffer.slots
    if len(program.factors):
        weight_slot //= 2
        needs.append(Need("factors", int(program.factors.weight_bytes.max()), weight_slot))
    if len(program.main):
        needs.append(Need("weights", int(program.main.weight_bytes.max()), weight_slot))
        if not resident:
            slot = activations.capacity_bytes // activations.slots
            needs.append(Need("activations", int(program.main.activation_bytes.max()), slot))
    block, whole, slot = _output_bytes(program, accelerator, tokens)
    needs.append(Need(_ACCUMULATORS[program.loop_order], block, slot))
    return Storage(resident, whole <= slot, tuple(needs))


def _output_bytes(program: Program, accelerator: Accelerator, tokens: int) -> tuple[int, int, int]:
    """Accumulator bytes of what cannot be divided, of all rows, and of a slot."""
    tiled, bits = program.tiled, accelerator.bits.accumulator
    thin, buffer = _whole_bytes(tiled.rank * tokens, bits), program.output_buffer
    slot = (buffer.capacity_bytes - thin) // buffer.slots
    whole = _whole_bytes(tiled.gemm.m * tokens, bits)
    if program.loop_order == "activation_stationary":
        return whole, whole, slot
    return _whole_bytes(tiled.tile.rows * tokens, bits), whole, slot


def _whole_bytes(elements: int, bits: int) -> int:
    return ceil_div(elements * bits, 8)
