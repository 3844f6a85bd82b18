"""Compute cycles as ViTCoD's own script counts them, written from a reading of it; shares no code.

Source: Hardware/Simulator/ViTCoD.py of github.com/GATECH-EIC/ViTCoD. All heads of a layer run at
once on 1/heads of each line's MACs each, and one of them is counted.
"""

import math


def compute_cycles(
    tokens: int, head_dim: int, heads: int, columns: int, sparser: int, lines: int, macs: int
) -> tuple[int, int, int, int]:
    """Denser and sparser cycles of Q Kᵀ, then of A V.

    Args:
        tokens: Queries, and keys.
        head_dim: Width of a head.
        heads: Of the layer.
        columns: Denser columns; the script calls them global tokens. At least one.
        sparser: Kept places outside them.
        lines: PE_width.
        macs: PE_height.
    """
    share = columns * tokens / (sparser + columns * tokens)
    denser_lines = int(lines * share)
    sparser_lines = lines - denser_lines
    steps = math.ceil(head_dim / (macs / heads))
    work = tokens * head_dim * columns
    return (
        columns * math.ceil(tokens / denser_lines) * steps,
        math.ceil(sparser / sparser_lines) * steps,
        math.ceil(work / int(denser_lines * macs / heads)),
        math.ceil(sparser * head_dim / int(sparser_lines * macs / heads)),
    )
