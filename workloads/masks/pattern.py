"""N:M sparsity as it is written: the one place that reads it."""

import re
from typing import NamedTuple

_WRITTEN = re.compile(r"([1-9][0-9]?):([1-9][0-9]?)")


class Pattern(NamedTuple):
    """At most N nonzeros in every M neighbouring columns of a row.

    Attributes:
        nonzeros: N, at least 1.
        columns: M, more than N, at most 99.
    """

    nonzeros: int
    columns: int


def parse_pattern(text: str) -> Pattern | None:
    """N and M of a text such as ``2:4``; None for every other text.

    Args:
        text: What may be a pattern.
    """
    match = _WRITTEN.fullmatch(text)
    if match is None or int(match[1]) >= int(match[2]):
        return None
    return Pattern(int(match[1]), int(match[2]))
