"""Attention masks: three shapes of file, errors that say where, synthetic maps by their counts."""

from pathlib import Path

import numpy as np
import pytest

from workloads.masks.counts import column_counts
from workloads.masks.head_masks import (
    read_attention_masks,
    synthetic_attention_masks,
    synthetic_map,
)
from workloads.shapes.attention import VitShape
from workloads.support.errors import InputError

SHAPE = VitShape("small", tokens=9, heads=2, head_dim=4, layers=3)


def random(*dims: int) -> np.ndarray:
    return np.random.default_rng(5).random(dims) < 0.4


@pytest.mark.parametrize(
    ("dims", "repeats", "names"),
    [
        ((9, 9), 6, ["every head"]),
        ((2, 9, 9), 3, ["head 0", "head 1"]),
        ((3, 2, 9, 9), 1, [f"layer {i}, head {j}" for i in range(3) for j in range(2)]),
    ],
)
@pytest.mark.parametrize("dtype", [bool, np.float32])
def test_read_attention_masks_each_shape_keeps_its_places(
    tmp_path: Path, dims: tuple[int, ...], repeats: int, names: list[str], dtype: type
) -> None:
    array = random(*dims)
    np.save(tmp_path / "m.npy", array.astype(dtype))
    heads = read_attention_masks(tmp_path / "m.npy", SHAPE)
    assert [head.name for head in heads] == names
    assert {head.repeats for head in heads} == {repeats}
    stored = np.stack([head.mask.unpack() for head in heads])
    assert (stored == array.reshape(stored.shape)).all()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (random(9, 8), r"m\.npy: masks of small have shape 9x9 or 2x9x9 or 3x2x9x9, got 9x8"),
        (random(1, 2, 9, 9), "got 1x2x9x9"),
        (np.array(True), "got no dimension"),
        (np.full((9, 9), 0.5), "every head: a mask is bool, or numbers 0 and 1; row 0, column 0"),
        (np.zeros((9, 9), bool), "every head keeps nothing"),
        (np.array([["x"]]), "got dtype '<U1'"),
        (np.array([{}]), r"got dtype '\|O'"),
    ],
)
def test_read_attention_masks_unusable_file_is_refused(
    tmp_path: Path, array: np.ndarray, message: str
) -> None:
    np.save(tmp_path / "m.npy", array)
    with pytest.raises(InputError, match=message):
        read_attention_masks(tmp_path / "m.npy", SHAPE)


def test_read_attention_masks_empty_head_is_named(tmp_path: Path) -> None:
    array = random(3, 2, 9, 9)
    array[2, 0] = False
    np.save(tmp_path / "m.npy", array)
    with pytest.raises(InputError, match="layer 2, head 0 keeps nothing"):
        read_attention_masks(tmp_path / "m.npy", SHAPE)


@pytest.mark.parametrize("density", [0.02, 0.1, 0.37, 1])
def test_synthetic_map_keeps_exactly_its_share(density: float) -> None:
    mask = synthetic_map(197, density, np.random.default_rng(1))
    assert mask.nnz == round(density * 197 * 197)


def test_synthetic_map_has_global_columns_a_diagonal_and_scattered_places() -> None:
    """3,881 of 197² places: 21 columns of 60 rows, 1,310 near the diagonal, 1,311 elsewhere."""
    mask = synthetic_map(197, 0.1, np.random.default_rng(1))
    counts = column_counts(mask)
    assert (counts > 50).sum() == 21
    assert counts[0] >= 60
    kept = mask.unpack()
    assert kept.diagonal().all()
    rows, columns = np.nonzero(kept[:, counts <= 50])
    far = np.abs(rows - np.flatnonzero(counts <= 50)[columns]) > 10
    assert far.sum() > 900


def test_synthetic_attention_masks_depend_on_seed_layer_and_head() -> None:
    first = synthetic_attention_masks(SHAPE, 0.3, seed=0)
    again = synthetic_attention_masks(SHAPE, 0.3, seed=0)
    other = synthetic_attention_masks(SHAPE, 0.3, seed=1)
    assert len(first) == 6
    assert all((a.mask.bits == b.mask.bits).all() for a, b in zip(first, again, strict=True))
    patterns = {head.mask.bits.tobytes() for head in [*first, *other]}
    assert len(patterns) == 12


@pytest.mark.parametrize("density", [0, -0.1, 1.5, 0.001, float("nan")])
def test_synthetic_attention_masks_impossible_density_is_refused(density: float) -> None:
    with pytest.raises(InputError, match=r"density must be in \(0, 1\]"):
        synthetic_attention_masks(SHAPE, density, 0)
