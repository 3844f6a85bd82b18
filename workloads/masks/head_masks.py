"""Fixed attention masks of a vision transformer: from a ``.npy`` file, or synthetic and seeded.

After ``attention`` (the shape); each mask is tokens x tokens, queries by keys, true where kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workloads.masks.foreign import pack_array
from workloads.masks.npy import read_array
from workloads.masks.packed import PackedMask
from workloads.shapes.attention import VitShape
from workloads.support.errors import InputError

# Of the log that ViTCoD ships (github.com/GATECH-EIC/ViTCoD, Hardware/Simulator/masks/
# deit_tiny_lowrank/vitcod_atten_0.95_wo.txt, head 0 of each layer): the sparser columns hold 3.6%
# of their places when 5% of all are kept, so about a third of the kept places lie in the denser
# columns.
_GLOBAL_SHARE = 1 / 3
_GLOBAL_ROWS = 0.3  # assumption: above the 50 of 197 that reorder.py asks of a denser column
_BAND_SHARE = 0.5  # of what is left: assumption


@dataclass(frozen=True, eq=False)
class HeadMask:
    """A mask, and how many heads of the model share it.

    Attributes:
        name: Such as ``layer 0, head 2``.
        mask: Queries x keys.
        repeats: Heads with this mask.
    """

    name: str
    mask: PackedMask
    repeats: int


def read_attention_masks(path: Path, shape: VitShape) -> list[HeadMask]:
    """Masks from a ``.npy`` file; pickled objects are never loaded.

    Args:
        path: Of an array of booleans, or of numbers that are 0 or 1: tokens x tokens for every
            head, heads x tokens x tokens for every layer, or layers x heads x tokens x tokens.
        shape: What they are for.

    Raises:
        InputError: The file is missing or holds anything else, or a head keeps nothing.
    """
    array = read_array(path)
    square = (shape.tokens, shape.tokens)
    accepted = {
        square: shape.layers * shape.heads,
        (shape.heads, *square): shape.layers,
        (shape.layers, shape.heads, *square): 1,
    }
    if array.shape not in accepted:
        choices = " or ".join("x".join(map(str, dims)) for dims in accepted)
        found = "x".join(map(str, array.shape)) or "no dimension"
        raise InputError(f"{path}: masks of {shape.name} have shape {choices}, got {found}")
    repeats = accepted[array.shape]
    heads = [
        HeadMask(name, pack_array(part, f"{path}: {name}"), repeats) for name, part in _parts(array)
    ]
    for head in heads:
        if not head.mask.nnz:
            raise InputError(f"{path}: {head.name} keeps nothing; a kept place is 1 (or true)")
    return heads


def _parts(array: NDArray[Any]) -> Iterator[tuple[str, NDArray[Any]]]:
    if array.ndim == 2:
        yield "every head", array
    elif array.ndim == 3:
        yield from ((f"head {head}", part) for head, part in enumerate(array))
    else:
        for layer, heads in enumerate(array):
            yield from ((f"layer {layer}, head {head}", part) for head, part in enumerate(heads))


def synthetic_attention_masks(shape: VitShape, density: float, seed: int) -> list[HeadMask]:
    """A mask for every head, as attention maps look after ViTCoD's split: see ``synthetic_map``.

    Args:
        shape: The model.
        density: Share of the places that every head keeps, in (0, 1].
        seed: Each head's mask has its own seed derived from it.

    Raises:
        InputError: The density is outside (0, 1], or keeps nothing.
    """
    if not 0 < density <= 1 or not round(density * shape.tokens**2):
        raise InputError(f"density must be in (0, 1] and keep a place of a head, got {density}")
    return [
        HeadMask(
            f"layer {layer}, head {head}",
            synthetic_map(shape.tokens, density, np.random.default_rng([seed, layer, head])),
            1,
        )
        for layer in range(shape.layers)
        for head in range(shape.heads)
    ]


def synthetic_map(tokens: int, density: float, random: np.random.Generator) -> PackedMask:
    """One map with exactly round(density · tokens²) places.

    A third of them lie in global key columns, the class token's first, each with 30% of its
    rows; half of the others are nearest to the diagonal, and the rest lie anywhere.

    Source: the pattern (global columns and a diagonal) is that of You et al. 2023 (ViTCoD),
    Section IV; one parameter is fitted to its log, the others assumed (top of this file).
    """
    mask = np.zeros((tokens, tokens), dtype=np.bool_)
    kept = round(density * tokens**2)
    rows = int(np.ceil(_GLOBAL_ROWS * tokens))
    columns = min(int(_GLOBAL_SHARE * kept) // rows, tokens)
    others = 1 + random.permutation(tokens - 1)[: max(columns - 1, 0)]
    for column in (0, *others)[:columns]:
        mask[random.permutation(tokens)[:rows], column] = True
    left = kept - int(mask.sum())
    place = np.arange(tokens)
    distance = np.abs(place[:, None] - place).ravel()
    free = np.flatnonzero(~mask.ravel())
    nearest = free[np.argsort(distance[free], kind="stable")]
    band = int(_BAND_SHARE * left)
    mask.ravel()[nearest[:band]] = True
    mask.ravel()[random.permutation(nearest[band:])[: left - band]] = True
    return PackedMask.pack(mask)
