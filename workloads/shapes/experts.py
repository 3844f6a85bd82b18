"""Experts of a feed-forward part: which projection belongs to which, and how tokens divide."""

import re
from collections.abc import Sequence
from pathlib import Path

from workloads.shapes.attention import CONFIG, config_count
from workloads.support.files import read_json

_NAME = re.compile(r"(?:.*\.)?experts\.(\d{1,6})\.\w+")


def expert_of(name: str) -> int | None:
    """Which expert a projection belongs to; None where it belongs to none.

    Args:
        name: In its block, such as ``mlp.experts.3.gate_proj``.
    """
    found = _NAME.fullmatch(name)
    return int(found[1]) if found else None


def read_active(directory: Path) -> int:
    """Experts that each token runs, from the ``config.json`` beside a model's weights.

    Raises:
        InputError: The file or the number is missing.
    """
    path = directory / CONFIG
    return config_count(read_json(path), "num_experts_per_tok", path)


def divide_tokens(tokens: int, active: int, seen: Sequence[int]) -> list[int]:
    """How many tokens each expert runs when every token runs some of them.

    Visits are divided by the experts' shares, what whole numbers leave over by the largest
    remainders, the first of equals; no expert runs a token twice.

    Args:
        tokens: Of the block.
        active: Experts that each token runs.
        seen: Tokens that reached each expert where that was measured; all alike for even shares.

    Returns:
        Tokens of each expert; they sum to tokens · active.

    Raises:
        ValueError: There are fewer experts than active ones.
    """
    if active > len(seen):
        raise ValueError(f"{active} active experts of {len(seen)}")
    left, given = tokens * active, [0] * len(seen)
    open_experts = list(range(len(seen)))
    while left:
        whole = sum(seen[expert] for expert in open_experts)
        shares = {
            e: left * (seen[e] / whole if whole else 1 / len(open_experts)) for e in open_experts
        }
        over = [expert for expert in open_experts if shares[expert] >= tokens]
        if not over:
            parts = {expert: int(share) for expert, share in shares.items()}
            late = sorted(open_experts, key=lambda e: (parts[e] - shares[e], e))
            for expert in late[: left - sum(parts.values())]:
                parts[expert] += 1
            for expert, part in parts.items():
                given[expert] = part
            break
        for expert in over:
            given[expert], left = tokens, left - tokens
            open_experts.remove(expert)
    return given
