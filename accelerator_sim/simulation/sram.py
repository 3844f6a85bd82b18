"""Bytes that cross the on-chip buffers, counted from a planned program. Pure.

Beside ``accounting``, which puts these counts into a result for ``energy``.
"""

from dataclasses import dataclass

from accelerator_sim.mapping.bounds import loaded_activations
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.mapping.gather import gathers_of
from accelerator_sim.mapping.program import Program, S
from accelerator_sim.mapping.timing import ceil_div
from accelerator_sim.mapping.totals import totals


@dataclass(frozen=True)
class SramBytes:
    """Bytes read from and written to each buffer, together.

    Attributes:
        weights: Values, indices and factors.
        activations: Inputs.
        outputs: Accumulators of outputs and of Vᵀx.
        bank_reads: Words of P tokens that lines gather from banks.
        crossbar_words: Words that they take: one a nonzero.
        copied: Bytes written into the lines' copies of inputs.
        copy_reads: Bytes that MACs read from them.
    """

    weights: int
    activations: int
    outputs: int
    bank_reads: int = 0
    crossbar_words: int = 0
    copied: int = 0
    copy_reads: int = 0


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
        (1 + program.weight_uses) * sums.weight_bytes,
        loads.payload + sums.read_bytes - _gathered_instead(program),
        ceil_div(bits, 8),
        *_gathered(program),
    )


def _gathers_from_banks(program: Program) -> bool:
    banked = program.accelerator.gather == "banked" and program.tiled.sparse_nonzeros > 0
    return banked and program.configuration.timed_as == "token"


def _gathered_instead(program: Program) -> int:
    """Bytes of tiles of S that only the sparser engine takes, which no broadcast reads."""
    if not _gathers_from_banks(program):
        return 0
    main = program.main

    def add_up() -> int:
        alone = (main.kind == S) & (main.sparser_cycles > 0) & (main.denser_cycles == 0)
        return int(main.activation_bytes[alone].sum())

    return program.once("gathered instead", add_up)


def _gathered(program: Program) -> tuple[int, int, int, int]:
    """Reads of banks, words over the crossbar, bytes into the lines' copies and out of them.

    The sparser part of S alone gathers. Copies are filled by what a tile reads once.
    """
    accelerator, tiled = program.accelerator, program.tiled
    if accelerator.gather != "banked" or not tiled.sparse_nonzeros:
        return 0, 0, 0, 0
    if _gathers_from_banks(program):
        rounds = int(ceil_div(tiled.token_sizes, accelerator.macs_per_line).sum())
        reads = gathers_of(tiled, accelerator, program.sparser_lines).reads
        return rounds * int(reads.sum()), rounds * tiled.sparse_nonzeros, 0, 0
    main = program.main

    def fill() -> int:
        return int(main.activation_bytes[(main.kind == S) & (main.sparser_cycles > 0)].sum())

    filled = program.once("filled copies", fill)
    products = tiled.sparse_nonzeros * tiled.gemm.tokens
    read = ceil_div(products * accelerator.bits.activation, 8)
    return 0, 0, filled * program.sparser_lines, read
