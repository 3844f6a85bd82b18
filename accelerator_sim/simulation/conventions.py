"""What both engines number and name alike: engines, reasons to wait, gates.

A gate is the cycle from which a tile of V or U may run: V when Vᵀx may be overwritten, U when it is
complete. Every token block has one of each; the last gate is always open, for all other tiles.
"""

import numpy as np
from numpy.typing import NDArray

from accelerator_sim.machine.hardware import Limit
from workloads.support.compiled import compiled

DENSER, SPARSER = 0, 1
ENGINES = ("denser", "sparser")
"""Names, in the order of the numbers."""
WAITS = ("output_space", "weights", "activations", "accumulation")
"""What an engine waits for between two tiles, in the order in which a wait is charged."""
NEVER = 1 << 62


def limit(field: Limit) -> int:
    """A limit of requests; ``NEVER`` where there is none."""
    return NEVER if field == "unlimited" else field


@compiled
def free_gate(token_block: int) -> int:
    """When Vᵀx may be overwritten by a token block."""
    return 2 * token_block


@compiled
def complete_gate(token_block: int) -> int:
    """When Vᵀx of a token block is complete."""
    return 2 * token_block + 1


@compiled
def open_gate(token_blocks: int) -> int:
    """The last gate. The one before it, after the last token block, is for nobody."""
    return 2 * token_blocks + 1


def closed_gates(token_blocks: int) -> NDArray[np.int64]:
    """Gate times before the first cycle: Vᵀx is free for the first token block."""
    gates = np.full(open_gate(token_blocks) + 1, NEVER, dtype=np.int64)
    gates[free_gate(0)] = gates[open_gate(token_blocks)] = 0
    return gates
