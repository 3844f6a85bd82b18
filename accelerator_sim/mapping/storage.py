"""What is held on chip: slots, residency, and whether a tile fits. Pure.

A buffer has a number of slots of equal size; ``auto`` is as many as the largest unit leaves room
for, and an operand of token blocks then stays if two of them fit, or the only one. An operand of a
whole token block (with stationary weights, of all tokens) that fits one slot stays there
(resident); otherwise it goes through the slots tile by tile. What the loop order leaves unfinished
must fit: a row block for all tokens with stationary weights, all rows of a token block with
stationary activations. With the overlapped schedule the weight slots are halved between the main
stream and U. The accumulators of
Vᵀx have their place in the output buffer for the whole run.
"""

from dataclasses import dataclass
from typing import NamedTuple

from accelerator_sim.machine.hardware import Slots
from accelerator_sim.mapping.program import Program
from accelerator_sim.mapping.timing import ceil_div
from accelerator_sim.mapping.totals import totals

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
        weight_slots: Slots of the weight buffer for each stream, main and factors.
        input_slots: Of the activation buffer.
        output_slots: Of the output buffer.
        needs: The checks that the tiles must pass.
    """

    activations_resident: bool
    outputs_resident: bool
    weight_slots: tuple[int, int]
    input_slots: int
    output_slots: int
    needs: tuple[Need, ...]

    @property
    def fits(self) -> bool:
        """Whether every operand fits."""
        return all(need.fits for need in self.needs)


class Held(NamedTuple):
    """Slots of a buffer and bytes of each; whether a whole token block stays in one."""

    slots: int
    slot_bytes: int
    resident: bool


def held(
    capacity_bytes: int, choice: Slots, *, piece_bytes: int, whole_bytes: int, wholes: int
) -> Held:
    """How a buffer is divided for an operand.

    Args:
        capacity_bytes: Room for the operand.
        choice: The machine's slots.
        piece_bytes: Of the largest tile.
        whole_bytes: Of a token block.
        wholes: Token blocks that take slots in turn.
    """
    if choice != "auto":
        slot = capacity_bytes // choice
        return Held(choice, slot, whole_bytes <= slot)
    resident = whole_bytes * min(wholes, 2) <= capacity_bytes
    unit = whole_bytes if resident else piece_bytes
    slots = max(capacity_bytes // max(unit, 1), 1)
    return Held(slots, capacity_bytes // slots, resident)


def storage_of(program: Program) -> Storage:
    """How a program's operands are held in the accelerator's buffers."""
    accelerator, main, factors = program.accelerator, program.main, program.factors
    share = accelerator.weight_buffer.capacity_bytes // (2 if len(factors) else 1)
    choice, sums = accelerator.weight_buffer.slots, totals(program)
    slots, needs = [1, 1], list[Need]()
    for number, (name, stream) in enumerate((("weights", main), ("factors", factors))):
        if len(stream):
            largest = sums.largest_weights[number]
            divided = held(share, choice, piece_bytes=largest, whole_bytes=largest, wholes=1)
            slots[number] = divided.slots
            needs.insert(0, Need(name, largest, divided.slot_bytes))
    inputs = _inputs(program)
    if len(main) and not inputs.resident:
        needs.append(Need("activations", sums.largest_inputs, inputs.slot_bytes))
    block, outputs = _outputs(program)
    needs.append(Need(_ACCUMULATORS[program.loop_order], block, outputs.slot_bytes))
    return Storage(
        activations_resident=inputs.resident,
        outputs_resident=outputs.resident,
        weight_slots=(slots[0], slots[1]),
        input_slots=inputs.slots,
        output_slots=outputs.slots,
        needs=tuple(needs),
    )


def _inputs(program: Program) -> Held:
    accelerator, tiled = program.accelerator, program.tiled
    buffer = accelerator.activation_buffer
    return held(
        buffer.capacity_bytes,
        buffer.slots,
        piece_bytes=totals(program).largest_inputs,
        whole_bytes=_whole_bytes(tiled.gemm.n * program.held_tokens, accelerator.bits.activation),
        wholes=_wholes(program),
    )


def _outputs(program: Program) -> tuple[int, Held]:
    """Accumulator bytes of what cannot be divided, and how the output buffer is."""
    tiled, bits = program.tiled, program.accelerator.bits.accumulator
    tokens, buffer = program.held_tokens, program.output_buffer
    whole = _whole_bytes(tiled.gemm.m * tokens, bits)
    stays = program.loop_order == "activation_stationary"
    block = whole if stays else _whole_bytes(tiled.tile.rows * tokens, bits)
    room = buffer.capacity_bytes - _whole_bytes(tiled.rank * tokens, bits)
    wholes = 1 if stays else _wholes(program)
    return block, held(room, buffer.slots, piece_bytes=block, whole_bytes=whole, wholes=wholes)


def _wholes(program: Program) -> int:
    """Token blocks that follow each other in a buffer; stationary weights hold all at once."""
    stationary = program.loop_order == "weight_stationary"
    return 1 if stationary else len(program.tiled.token_sizes)


def _whole_bytes(elements: int, bits: int) -> int:
    return ceil_div(elements * bits, 8)
