"""Bytes that cross the on-chip buffers, counted from a planned program. Pure.

Beside ``accounting``, which puts these counts into a result for ``energy``.
"""

from dataclasses import dataclass

from accelerator_sim.mapping.bounds import loaded_activations
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.mapping.timing import ceil_div
from accelerator_sim.mapping.totals import totals


@dataclass(frozen=True)
class SramBytes:
    """Bytes read from and written to each buffer, together.

    Attributes:
        weights: Values, indices and factors.
        activations: Inputs.
        outputs: Accumulators of outputs and of Vᵀx.
    """

    weights: int
    activations: int
    outputs: int


def sram_bytes(plan: Plan) -> SramBytes:
    """Bytes that cross the three buffers.

    The counting rule: an operand byte is written once into its buffer when it is loaded and read
    once by each tile that uses it, whatever the lines and tokens of the tile (a value is broadcast
    to all lines and held there). A part of a tile on one engine reads and writes each accumulator
    that it adds to once. U reads Vᵀx at the accumulators' width, and write-back reads each output.
    A result that one tile makes whole is written once and read once.
    """
    program = plan.program
    tiled, sums = program.tiled, totals(program)
    loads = loaded_activations(program, plan.storage)
    outputs = tiled.gemm.m * tiled.gemm.tokens
    accumulators = 2 * sums.partial_sums + sums.factor_reads + outputs
    if program.results is not None:
        accumulators = 2 * int(program.results.sum())
    bits = accumulators * program.accelerator.bits.accumulator
    return SramBytes(
        weights=(1 + program.weight_uses) * sums.weight_bytes,
        activations=loads.payload + sums.read_bytes,
        outputs=ceil_div(bits, 8),
    )
