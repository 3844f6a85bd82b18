"""Index formats: bits by hand, against an encoder that writes them out, and what refuses a mask."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelerator_sim.machine.hardware import Bits, TileChoice
from accelerator_sim.mapping.indices import StoredTiles, row_decode, stored_tiles
from accelerator_sim.mapping.tiling import TiledProjection, TileShape, cut, cut_dense
from accelerator_sim.planning.planner import plan_dense, plan_projection
from accelerator_sim.simulation.event import run_event
from tests.accelerator_sim.machines import (
    n_of_m_part,
    plain_index,
    projection,
    projection_by,
    random_mask,
    small_machine,
    with_rows,
)
from tests.reference import index_codec
from workloads.masks.packed import PackedMask
from workloads.masks.run_length import run_entries
from workloads.shapes.gemm import Gemm
from workloads.support.errors import InputError

CODEC = settings(max_examples=200, deadline=None, derandomize=True)


def tiles_of(
    mask: np.ndarray, rows: int, columns: int, dense: np.ndarray | None = None
) -> TiledProjection:
    none = np.zeros(mask.shape[1], dtype=bool)
    gemm = Gemm("p", "MHA", *mask.shape)
    shape = TileShape(rows, columns, 1)
    return cut(
        gemm,
        PackedMask.pack(mask),
        rank=0,
        dense_columns=none if dense is None else dense,
        tile=shape,
    )


def only(stored: StoredTiles) -> tuple[int, int, int]:
    """Entries, values and index bits of the one tile."""
    return stored.entries.item(), stored.values.item(), stored.index_bits.item()


def places(*columns: int, of: int) -> np.ndarray:
    return np.isin(np.arange(of), columns)


@pytest.mark.parametrize(
    ("kind", "bits"), [("bitmap", 48), ("csr", 5 * 4 + 5 * 6), ("csc", 5 * 2 + 13 * 6)]
)
def test_stored_tiles_of_4x12_with_5_nonzeros_have_exact_bits(kind: str, bits: int) -> None:
    """Indices of ⌈log₂ 12⌉ = 4 or ⌈log₂ 4⌉ = 2 bits, pointers of ⌈log₂ 49⌉ = 6 bits."""
    stored = stored_tiles(tiles_of(with_rows([2, 0, 3, 0], 12), 4, 12), plain_index(kind, 1))
    assert only(stored) == (48 if kind == "bitmap" else 5, 5, bits)


@pytest.mark.parametrize(
    "kind", ["bitmap", "csr", "csc", "run_length", "hierarchical_bitmap", "2:4"]
)
def test_stored_tiles_without_nonzeros_store_nothing(kind: str) -> None:
    stored = stored_tiles(tiles_of(np.zeros((4, 12), dtype=bool), 4, 12), plain_index(kind, 1))
    assert only(stored) == (0, 0, 0)
    whole = cut_dense(Gemm("p", "MHA", 4, 6), TileShape(4, 3, 1))
    dense = stored_tiles(whole, plain_index(kind, 1))
    assert dense.values.tolist() == dense.index_bits.tolist() == [[0, 0]]


def test_stored_tiles_run_length_matches_hand_count() -> None:
    """12 columns; row 0 keeps 0, 4 and 11 (runs 0, 3, 6), row 1 nothing, row 2 keeps 5 (run 5).

    4 nonzeros. Escapes of 2 bits stand for 3 zeros: 0 + 1 + 2 + 1 = 4; of 1 bit for one:
    0 + 3 + 6 + 5 = 14; runs of up to 6 need none in 3 bits (7 is the escape). A row's number of
    entries takes ⌈log₂ 13⌉ = 4 bits, 3 rows 12.
    """
    mask = np.stack([places(0, 4, 11, of=12), places(of=12), places(5, of=12)])
    tiled = tiles_of(mask, 3, 12)
    for run_bits, entries in ((1, 18), (2, 8), (3, 4), (16, 4)):
        stored = stored_tiles(tiled, plain_index("run_length", 1, run_bits))
        assert only(stored) == (entries, 4, entries * run_bits + 12)
    two_bits = row_decode(tiled, plain_index("run_length", 2, 2))
    assert two_bits.by_entries[two_bits.entries[0, :, 0]].tolist() == [3, 0, 1]


def test_stored_tiles_run_length_starts_anew_in_each_tile_and_skips_dense_columns() -> None:
    """Columns 0 and 7 of 8, then the same with columns 1 to 3 dense; 2 bits, escapes of 3 zeros.

    One tile: runs 0 and 6, 2 escapes: 4 entries. Tiles of 4: column 0, and column 3 after 3 zeros:
    1 and 2 entries. Without columns 1 to 3 the second run is 3 zeros: 1 escape, 3 entries, counts
    of ⌈log₂ 6⌉ = 3 bits.
    """
    mask, index = places(0, 7, of=8)[None], plain_index("run_length", 1, 2)
    assert only(stored_tiles(tiles_of(mask, 1, 8), index)) == (4, 2, 8 + 4)
    assert stored_tiles(tiles_of(mask, 1, 4), index).entries.tolist() == [[1, 2]]
    dense = places(1, 2, 3, of=8)
    assert only(stored_tiles(tiles_of(mask, 1, 8, dense), index)) == (3, 2, 6 + 3)


def test_stored_tiles_hierarchical_bitmap_has_a_bit_per_block_and_the_blocks_with_nonzeros() -> (
    None
):
    """10 columns in blocks of 4, 4 and 2; row 0 keeps 0 and 9, row 1 nothing, row 2 keeps 5.

    Row 0: 3 bits, blocks of 4 and 2; row 1: 3 bits; row 2: 3 bits and a block of 4: 9 + 3 + 7.
    Without the dense columns 5 to 8 six are left, blocks of 4 and 2: 2 + 4 + 2, 2, and 2.
    """
    mask = np.stack([places(0, 9, of=10), places(of=10), places(5, of=10)])
    index = dataclasses.replace(plain_index("hierarchical_bitmap", 2), block_places=4)
    assert only(stored_tiles(tiles_of(mask, 3, 10), index)) == (19, 3, 19)
    decode = row_decode(tiles_of(mask, 3, 10), index)
    assert decode.by_entries[decode.entries[0, :, 0]].tolist() == [5, 2, 4]
    dense = places(5, 6, 7, 8, of=10)
    assert only(stored_tiles(tiles_of(mask, 3, 10, dense), index)) == (12, 2, 12)
    apart = stored_tiles(tiles_of(mask, 1, 5), index)
    assert apart.index_bits.tolist() == [[2 + 4, 2 + 1], [0, 0], [0, 2 + 4]]


@CODEC
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 90)),
    density=st.sampled_from([0, 0.02, 0.3, 1]),
    block=st.integers(1, 80),
    seed=st.integers(0, 10**6),
)
def test_stored_tiles_hierarchical_bitmap_is_as_long_as_what_an_encoder_writes(
    shape: tuple[int, int], density: float, block: int, seed: int
) -> None:
    mask, dense = random_mask(*shape, density, seed), random_mask(1, shape[1], 0.2, seed + 1)[0]
    tiled = tiles_of(mask, *shape, dense)
    index = dataclasses.replace(plain_index("hierarchical_bitmap", 3), block_places=block)
    tile = [[1 + place if kept else None for place, kept in enumerate(row)] for row in mask]
    tile = [[value for value, left in zip(row, ~dense, strict=True) if left] for row in tile]
    bits, values, entries = index_codec.encode_blocks(tile, block)
    assert index_codec.decode_blocks(bits, values, len(tile), len(tile[0]), block) == tile
    assert only(stored_tiles(tiled, index)) == (sum(entries), len(values), len(bits))
    decode = row_decode(tiled, index)
    cycles = np.maximum(decode.by_entries[decode.entries[0, :, 0]], decode.least[0, 0])
    assert cycles.tolist() == [-(-count // 3) for count in entries]


def test_stored_tiles_n_of_m_pads_every_group_of_a_stored_tile() -> None:
    """2:4 on 3 rows of 9 columns: 2 + 2 + 1 (a group of one column) entries a row, 15 of 2 bits.

    Tiles of 4: the one in the middle keeps nothing and stores nothing.
    """
    mask = np.stack([places(0, 3, of=9), places(of=9), places(8, of=9)])
    index = plain_index("2:4", 2)
    assert only(stored_tiles(tiles_of(mask, 3, 9), index)) == (15, 15, 30)
    assert stored_tiles(tiles_of(mask, 3, 4), index).values.tolist() == [[6, 0, 3]]
    assert row_decode(tiles_of(mask, 3, 4), index).least.tolist() == [[1, 0, 1]]
    dense = places(0, of=9)
    assert stored_tiles(tiles_of(mask, 3, 4, dense), index).values.tolist() == [[6, 0, 3]]


@CODEC
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 40)),
    density=st.sampled_from([0, 0.02, 0.3, 0.8, 1]),
    run_bits=st.integers(1, 6),
    seed=st.integers(0, 10**6),
)
def test_stored_tiles_run_length_is_as_long_as_what_an_encoder_writes(
    shape: tuple[int, int], density: float, run_bits: int, seed: int
) -> None:
    mask, dense = random_mask(*shape, density, seed), random_mask(1, shape[1], 0.2, seed + 1)[0]
    tiled, index = tiles_of(mask, *shape, dense), plain_index("run_length", 3, run_bits)
    tile = [[1 + place if kept else None for place, kept in enumerate(row)] for row in mask]
    tile = [[value for value, left in zip(row, ~dense, strict=True) if left] for row in tile]
    bits, values, entries = index_codec.encode_runs(tile, run_bits)
    width = len(tile[0])
    assert index_codec.decode_runs(bits, values, len(tile), width, run_bits) == tile
    assert only(stored_tiles(tiled, index)) == (sum(entries), len(values), len(bits))
    decode = row_decode(tiled, index)
    cycles = decode.by_entries[decode.entries[0, :, 0]] + decode.least[0, 0]
    assert cycles.tolist() == [-(-count // 3) for count in entries]


@CODEC
@given(
    columns=st.integers(1, 70),
    width=st.one_of(st.integers(1, 40), st.sampled_from([8, 16, 24])),
    density=st.sampled_from([0.02, 0.2, 0.5]),
    dense_share=st.sampled_from([0, 0.05, 0.5]),
    run_bits=st.integers(1, 5),
    seed=st.integers(0, 10**6),
)
def test_run_entries_of_any_tile_width_equal_an_encoder_s(
    columns: int, width: int, density: float, dense_share: float, run_bits: int, seed: int
) -> None:
    mask = random_mask(3, columns, density, seed)
    dense = random_mask(1, columns, dense_share, seed + 1)[0]
    found = run_entries(PackedMask.pack(mask), width, dense, run_bits)
    for tile, start in enumerate(range(0, columns, width)):
        piece, left = mask[:, start : start + width], ~dense[start : start + width]
        rows = [[kept or None for kept in row[left].tolist()] for row in piece]
        assert found[:, tile].tolist() == index_codec.encode_runs(rows, run_bits)[2]


@CODEC
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 40)),
    density=st.sampled_from([0, 0.02, 0.5, 1]),
    most=st.integers(1, 8),
    more=st.integers(1, 8),
    seed=st.integers(0, 10**6),
)
def test_stored_tiles_n_of_m_is_as_long_as_what_an_encoder_writes(
    shape: tuple[int, int], density: float, most: int, more: int, seed: int
) -> None:
    group, dense = most + more, random_mask(1, shape[1], 0.2, seed + 1)[0]
    mask = n_of_m_part(random_mask(*shape, density, seed), most, group)
    tiled, index = tiles_of(mask, *shape, dense), plain_index(f"{most}:{group}", 3)
    tile = [
        [1 + place if kept and not dense[place] else None for place, kept in enumerate(row)]
        for row in mask
    ]
    bits, values, entries = index_codec.encode_groups(tile, most, group)
    assert index_codec.decode_groups(bits, values, *shape, most, group) == tile
    assert only(stored_tiles(tiled, index)) == (sum(entries), len(values), len(bits))
    decode = row_decode(tiled, index)
    assert decode.least.item() == -(-entries[0] // 3)
    assert not decode.by_entries.any()


def test_run_event_n_of_m_pays_padding_but_computes_nonzeros() -> None:
    """A 4x8 tile keeping 2, 1, 0, 0 columns as 2:4: 4 entries of 8 + 2 bits a row, 20 bytes.

    Each row decodes 4 entries in 2 cycles at 2 a cycle; its MACs take 1 at most. Roofline: 20 + 8
    + 4 bytes at 4 a cycle are 8 cycles.
    """
    machine = small_machine(index=plain_index("2:4", 2))
    result = run_event(plan_projection(projection(with_rows([2, 1, 0, 0], 8)), machine))
    assert (result.traffic.weights, result.actions.macs, result.actions.decoded) == (20, 3, 16)
    assert (result.sparser.compute, result.sparser.index_decode) == (2, 8 - 2)
    assert result.actions.weight_buffer_bytes == 40
    assert result.roofline_cycles == 8


def test_run_event_run_length_escapes_cost_bits_and_decode_but_no_value() -> None:
    """1x8 keeping column 7 with escapes of 3 zeros: 3 entries of 2 bits, 4 of count, 8 of value.

    18 bits are 3 bytes; 3 entries decode in 3 cycles, the one MAC takes 1.
    """
    machine = small_machine(index=plain_index("run_length", 1, 2))
    result = run_event(plan_projection(projection(places(7, of=8)[None]), machine))
    assert (result.traffic.weights, result.actions.macs, result.actions.decoded) == (3, 1, 3)
    assert (result.sparser.compute, result.sparser.index_decode) == (1, 2)


def test_plan_projection_mask_that_is_not_n_of_m_is_refused_by_place() -> None:
    mask = random_mask(6, 8, 0, 0)
    mask[4, 4:7] = True
    machine = small_machine(index=plain_index("2:4", 2))
    message = (
        r"^p: index.format = 2:4 keeps at most 2 nonzeros in 4 columns, and row 4 has more in "
        r"columns 4 to 7 .*; every other format takes any mask$"
    )
    with pytest.raises(InputError, match=message):
        plan_projection(projection(mask), machine)
    machine = dataclasses.replace(machine, dense_threshold=0.1)
    assert plan_projection(projection(mask), machine).program.tiled.dense_columns == 3


def test_plan_projection_tile_that_cuts_groups_is_refused() -> None:
    machine = small_machine(index=plain_index("2:4", 2), tile=TileChoice(4, 6, 1))
    with pytest.raises(InputError, match=r"tile.columns = 6 cuts .* a multiple of 4, or all 8"):
        plan_projection(projection(with_rows([2, 1], 8)), machine)
    whole = projection(with_rows([2, 1], 6))
    assert plan_projection(whole, machine).program.tiled.tile.columns == 6
    nothing = projection(with_rows([0, 0], 8))
    assert len(plan_projection(nothing, machine).program.main) == 0


def test_plan_projection_n_of_m_auto_tile_is_whole_groups() -> None:
    """12 MACs a line and groups of 8: 8, 16, 24; 12 and 36 would cut a group."""
    machine = small_machine(macs_per_line=12, index=plain_index("4:8", 8), tile=TileChoice())
    mask = n_of_m_part(random_mask(64, 192, 0.9, 1), 4, 8)
    assert plan_projection(projection(mask), machine).program.tiled.tile.columns % 8 == 0


def test_plan_dense_is_the_same_whatever_the_index() -> None:
    """Odd tiles that would cut groups of an index are fine where there is none."""
    gemm, odd = Gemm("p", "MHA", 9, 30, 2), TileChoice(3, 7, 2)
    runs = [
        run_event(plan_dense(gemm, small_machine(index=plain_index(kind, 1), tile=tile)))
        for kind in ("bitmap", "run_length", "hierarchical_bitmap", "2:4")
        for tile in (odd, TileChoice())
    ]
    assert runs[:2] == runs[2:4] == runs[4:6] == runs[6:]


def test_simulate_projection_new_formats_in_all_models_agree_on_the_rest() -> None:
    mask = n_of_m_part(random_mask(24, 48, 0.9, 1), 2, 4)
    item = projection(mask, rank=3, tokens=3)
    for kind in ("run_length", "hierarchical_bitmap", "2:4"):
        machine = small_machine(index=plain_index(kind, 2), bits=Bits(16, 8, 8, 32))
        event, compiled = (projection_by(m, item, machine) for m in ("event", "compiled"))
        assert event.sum_run == compiled.sum_run
        assert event.dense_run == compiled.dense_run
        assert projection_by("published", item, machine).sparse_cycles > 0


def test_stored_tiles_of_tiles_without_a_mask_say_what_is_missing() -> None:
    tiled = dataclasses.replace(tiles_of(with_rows([2, 1], 8), 2, 8), mask=None)
    with pytest.raises(ValueError, match="p: this index format needs the mask of S"):
        stored_tiles(tiled, plain_index("2:4", 1))
