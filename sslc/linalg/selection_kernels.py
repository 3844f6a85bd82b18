"""Selection without sorting, compiled: the k-th largest of a row, and SSLC's fused row update.

Below ``selection`` and ``alternation``. Scores are compared as whole numbers that order as the
floating-point values do. Nothing here allocates: callers pass the scratch of ``new_scratch``.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workloads.support.compiled import compiled

_BINS = 2048
_CHUNK = 16  # keys, a vector or two; few chunks have any near the guess
_INFINITE = np.uint32(0x7F800000)
_SIGN = np.uint32(1 << 31)
_LEAST_REACH = np.uint32(1 << 14)  # a 512th of a power of two
_REACHES_PER_MOVE = 2  # a threshold seldom moves more than twice as far as the last time
_MOST_MOVED = np.uint32(1 << 29)

Floats = NDArray[np.float32]
Keys = NDArray[np.uint32]
Booleans = NDArray[np.bool_]


class Scratch(NamedTuple):
    """Room for one thread: keys to choose from, and counts of a histogram."""

    candidates: Keys
    bins: NDArray[np.int64]


def new_scratch(columns: int) -> Scratch:
    """Scratch for rows of so many columns; ``mark_top_rows`` counts more in longer ones."""
    return Scratch(np.empty(columns + 1, np.uint32), np.empty(_BINS, np.int64))


@compiled
def mark_top_rows(scores: Floats, base: int, extra: int, scratch: Scratch, mask: Booleans) -> None:
    """Mark the ``base`` largest of each row, one more in the first ``extra`` rows; ties go left.

    Args:
        scores: Shape (m, n), free of NaN.
        base: From 0 to n.
        extra: Rows that get one more.
        scratch: From ``new_scratch``.
        mask: Shape (m, n), overwritten.
    """
    for row in range(len(scores)):
        keep = base + (1 if row < extra else 0)
        if keep in (0, scores.shape[1]):
            mask[row, :] = keep > 0
            continue
        threshold = _kth_largest(scores[row], keep, scratch)
        kept = 0
        for place in range(scores.shape[1]):
            mask[row, place] = _key(scores[row, place]) >= threshold
            kept += mask[row, place]
        place = scores.shape[1]
        while kept > keep:
            place -= 1
            if _key(scores[row, place]) == threshold:
                mask[row, place] = False
                kept -= 1


@compiled
def _key(value: np.float32) -> np.uint32:
    """A whole number that orders as a float32 does; −0 and 0 are equal."""
    bits = np.float32(value + np.float32(0)).view(np.uint32)
    return bits ^ (np.uint32(0xFFFFFFFF) if bits & _SIGN else _SIGN)


@compiled
def _kth_largest(scores: Floats, keep: int, scratch: Scratch) -> np.uint32:
    """Key of the keep-th largest: the bin that holds it by its leading bits, then by the next.

    A bin that fits the scratch is gathered and finished by quickselect.
    """
    prefix, known_bits = np.uint32(0), 0
    for width in (11, 11, 10):
        scratch.bins[:] = 0
        shift = np.uint32(32 - known_bits - width)
        for value in scores:
            key = _key(value)
            if known_bits == 0 or key >> np.uint32(32 - known_bits) == prefix:
                scratch.bins[(key >> shift) & np.uint32((1 << width) - 1)] += 1
        place = (1 << width) - 1
        while scratch.bins[place] < keep:
            keep -= scratch.bins[place]
            place -= 1
        prefix = np.uint32((prefix << np.uint32(width)) | np.uint32(place))
        known_bits += width
        if scratch.bins[place] < len(scratch.candidates):
            break
    if known_bits == 32:
        return prefix
    count = 0
    for value in scores:
        key = _key(value)
        scratch.candidates[count] = key
        count += key >> np.uint32(32 - known_bits) == prefix
    return _nth(scratch.candidates, count, count - keep)


@compiled
def _nth(values: Keys, count: int, place: int) -> np.uint32:
    """The value that sorting the first ``count`` would put at ``place``; by Hoare's quickselect."""
    left, right = 0, count - 1
    while left < right:
        pivot = values[(left + right) >> 1]
        low, high = left, right
        while low <= high:
            while values[low] < pivot:
                low += 1
            while values[high] > pivot:
                high -= 1
            if low <= high:
                values[low], values[high] = values[high], values[low]
                low += 1
                high -= 1
        if place <= high:
            right = high
        elif place >= low:
            left = low
        else:
            break
    found: np.uint32 = values[place]
    return found


@compiled
def refit_rows(
    weights: Floats,
    low_rank: Floats,
    always: Booleans,
    keep: NDArray[np.int64],
    thresholds: Keys,
    reaches: Keys,
    scratch: Scratch,
    keys: Keys,
    residual: Floats,
) -> None:
    """SSLC's sparse step on some rows, leaving what the next low-rank step approximates.

    Args:
        weights: W̃, shape (rows, n).
        low_rank: L̃, likewise.
        always: Places that are kept whatever their error, at most ``keep`` in a row.
        keep: Places of S in each row, shape (rows,), at least 1.
        thresholds: Where each row's threshold is looked for first, as a key; updated to it.
        reaches: How far around that, in keys; updated to twice as far as the threshold moved.
        scratch: From ``new_scratch(n)``.
        keys: Room for n.
        residual: W̃ − S̃, overwritten: L̃ at S's positions (the largest |W̃ − L̃| of a row, ties go
            left), W̃ elsewhere.
    """
    for row in range(len(weights)):
        last = thresholds[row]
        near = _around(last, reaches[row])
        counts = _errors(weights[row], low_rank[row], always[row], keys, near[0], near[1])
        threshold = _kth_near(keys, int(keep[row]), last, reaches[row], counts, scratch.candidates)
        moved = threshold - last if threshold > last else last - threshold
        reach = np.uint32(min(np.int64(moved), np.int64(_MOST_MOVED)) * _REACHES_PER_MOVE)
        thresholds[row], reaches[row] = threshold, reach + _LEAST_REACH
        surplus = _replace(weights[row], low_rank[row], keys, threshold, residual[row]) - keep[row]
        place = len(keys)
        while surplus > 0:
            place -= 1
            if keys[place] == threshold:
                residual[row, place] = weights[row, place]
                surplus -= 1


@compiled
def _errors(
    weights: Floats,
    low_rank: Floats,
    always: Booleans,
    keys: Keys,
    low: np.uint32,
    high: np.uint32,
) -> tuple[np.uint32, np.uint32]:
    """Put |W̃ − L̃| into the keys, infinite at the preserved positions; see ``_reaching``."""
    above, within = np.uint32(0), np.uint32(0)
    for place in range(len(weights)):
        bits = np.float32(abs(weights[place] - low_rank[place])).view(np.uint32)
        key = _INFINITE if always[place] else bits
        keys[place] = key
        above += np.uint32(key >= high)
        within += np.uint32(key >= low)
    return above, within


@compiled
def _reaching(keys: Keys, low: np.uint32, high: np.uint32) -> tuple[np.uint32, np.uint32]:
    """How many keys reach ``high``, and how many ``low``."""
    above, within = np.uint32(0), np.uint32(0)
    for place in range(len(keys)):
        above += np.uint32(keys[place] >= high)
        within += np.uint32(keys[place] >= low)
    return above, within


@compiled
def _around(guess: np.uint32, reach: np.uint32) -> tuple[np.uint32, np.uint32]:
    """The keys so far from a guess, none below 0 or above all that floats have."""
    low = np.uint32(guess - reach if guess > reach else 0)
    return low, np.uint32(min(np.int64(guess) + np.int64(reach), np.int64(_SIGN)))


@compiled
def _kth_near(
    keys: Keys,
    keep: int,
    guess: np.uint32,
    reach: np.uint32,
    counts: tuple[np.uint32, np.uint32],
    candidates: Keys,
) -> np.uint32:
    """The keep-th largest key: those near a guess are gathered, further around it if need be."""
    low, high = _around(guess, reach)
    above, within = counts
    while not above < keep <= within:
        reach = np.uint32(min(4 * np.int64(reach), np.int64(_SIGN)))
        low, high = _around(guess, reach)
        above, within = _reaching(keys, low, high)
    count, width = np.int64(0), np.uint32(high - low)
    whole = len(keys) - len(keys) % _CHUNK
    for start in range(0, whole, _CHUNK):
        near = np.uint32(0)
        for place in range(_CHUNK):
            near |= np.uint32(np.uint32(keys[start + place] - low) < width)
        if near:
            count = _gather(keys, start, start + _CHUNK, low, width, candidates, count)
    count = _gather(keys, whole, len(keys), low, width, candidates, count)
    return _nth(candidates, int(count), int(count) - (keep - int(above)))


@compiled
def _gather(
    keys: Keys,
    start: int,
    stop: int,
    low: np.uint32,
    width: np.uint32,
    candidates: Keys,
    count: np.int64,
) -> np.int64:
    """Put the keys that are at least ``low`` and less than ``width`` above it behind the others."""
    for place in range(start, stop):
        candidates[count] = keys[place]
        count += np.uint32(keys[place] - low) < width
    return count


@compiled
def _replace(
    weights: Floats, low_rank: Floats, keys: Keys, threshold: np.uint32, residual: Floats
) -> int:
    """L̃ where the key reaches the threshold, W̃ elsewhere; how many reach it."""
    reached = np.uint32(0)
    for place in range(len(weights)):
        kept = keys[place] >= threshold
        residual[place] = low_rank[place] if kept else weights[place]
        reached += np.uint32(kept)
    return int(reached)
