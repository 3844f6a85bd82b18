"""A projection in tiles: every nonzero once, dense columns apart."""

from accelerator_sim.mapping.tiling import TileShape, block_sizes, choose_dense_columns, cut
from tests.accelerator_sim.machines import random_mask, with_rows
from workloads.masks.packed import PackedMask
from workloads.shapes.gemm import Gemm


def test_block_sizes_only_the_last_is_smaller() -> None:
    assert block_sizes(10, 4).tolist() == [4, 4, 2]
    assert block_sizes(8, 4).tolist() == [4, 4]


def test_choose_dense_columns_needs_more_than_the_threshold() -> None:
    mask = PackedMask.pack(with_rows([3, 2, 2, 1], 4))
    assert choose_dense_columns(mask, 0.5).tolist() == [True, True, False, False]
    assert choose_dense_columns(mask, 0.75).tolist() == [True, False, False, False]
    assert not choose_dense_columns(mask, 1.0).any()


def test_cut_counts_every_nonzero_once() -> None:
    mask = PackedMask.pack(random_mask(11, 29, 0.4, seed=1))
    dense = choose_dense_columns(mask, 0.5)
    tiled = cut(
        Gemm("p", "MHA", 11, 29, 5), mask, rank=0, dense_columns=dense, tile=TileShape(4, 10, 2)
    )
    unpacked = mask.unpack()
    assert tiled.sparse_nonzeros == unpacked[:, ~dense].sum()
    assert tiled.counts[1, 2, 1] == unpacked[6, 10:20][~dense[10:20]].sum()
    assert tiled.dense.tolist() == [dense[:10].sum(), dense[10:20].sum(), dense[20:].sum()]
    assert tiled.token_sizes.tolist() == [2, 2, 1]
