"""What every tile of the slow machine takes: cycles, bytes, entries, slots; loops over rows.

Shares no code with ``accelerator_sim``; ``slow_machine`` runs these tiles cycle by cycle.
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil, log2
from typing import Any

from accelerator_sim.machine.hardware import Accelerator, Buffer, Index

Mask = Sequence[Sequence[bool]]
Range = tuple[int, int]
Tile = dict[str, Any]

REASONS = [
    "compute",
    "imbalance",
    "index_decode",
    "gather",
    "output_space",
    "weights",
    "activations",
    "accumulation",
    "fill",
    "drain",
    "idle",
]


def pieces(extent: int, size: int) -> list[Range]:
    """(start, stop) of consecutive pieces."""
    edges = [*range(0, extent, size), extent]
    return list(pairwise(edges))


def mac_cycles(products: int, tokens: int, acc: Accelerator) -> int:
    if acc.dataflow == "reduction":
        return ceil(products / acc.macs_per_line) * tokens
    return products * ceil(tokens / acc.macs_per_line)


def latency_cycles(acc: Accelerator, write: bool) -> int:
    """Nanoseconds in whole cycles; a write without its own takes as long as a read."""
    dram = acc.dram
    nanoseconds = dram.latency_ns
    if write and dram.write_latency_ns is not None:
        nanoseconds = dram.write_latency_ns
    return ceil(Fraction(str(nanoseconds)) * acc.clock_hz / 10**9)


def run_entries(kept: Sequence[bool], run_bits: int) -> int:
    """Entries of one row: a nonzero each, and one for every full run of zeros before it."""
    entries = run = 0
    for stored in kept:
        run += 1
        if stored:
            entries += 1 + (run - 1) // (2**run_bits - 1)
            run = 0
    return entries


def row_entries(kept: Sequence[bool], width: int, original_width: int, index: Index) -> int:
    """What the decoder reads of a row of a stored tile, without its dense columns."""
    if index.format == "bitmap":
        return width
    if index.format == "run_length":
        return run_entries(kept, index.run_bits)
    if index.format == "hierarchical_bitmap":
        blocks = pieces(width, index.block_places)
        return sum(1 + (b - a) * any(kept[a:b]) for a, b in blocks)
    if ":" in index.format:
        kept_of_group, group = map(int, index.format.split(":"))
        return sum(min(kept_of_group, b - a) for a, b in pieces(original_width, group))
    return sum(kept)


def products_of(row: list[tuple[bool, bool]], acc: Accelerator) -> list[bool]:
    """Entries of a row, (kept, dense) by column, in storage order: whether each has a product."""
    index, entries = acc.index, list[bool]()
    if ":" in index.format:
        most, group = map(int, index.format.split(":"))
        for a, b in pieces(len(row), group):
            kept = sum(place and not dense for place, dense in row[a:b])
            entries += [True] * kept + [False] * (min(most, b - a) - kept)
        return entries
    places = [place for place, dense in row if not dense]
    if index.format == "bitmap":
        return places
    if index.format == "csr":
        return [True] * sum(places)
    if index.format == "hierarchical_bitmap":
        blocks = pieces(len(places), index.block_places) if places else []
        entries = [False] * len(blocks)
        for a, b in blocks:
            entries += places[a:b] if any(places[a:b]) else []
        return entries
    zeros = 0
    for place in places:
        if place:
            entries += [False] * (zeros // (2**index.run_bits - 1)) + [True]
        zeros = 0 if place else zeros + 1
    return entries


def queued_cycles(entries: list[bool], tokens: int, acc: Accelerator) -> int:
    """Cycle by cycle: the decoder offers its next chunk, the MACs take what they can."""
    rate, macs = acc.index.decode_per_cycle, acc.macs_per_line
    chunks = [sum(entries[a:b]) for a, b in pieces(len(entries), rate)] if entries else []
    given = acc.index.decode_queue
    room = max(2 * macs, rate) if given == "auto" else given
    most, held = (macs, 1) if acc.dataflow == "reduction" else (1, ceil(tokens / macs))
    cycle = waiting = free_at = 0
    while chunks or waiting:
        free = free_at <= cycle
        if chunks:
            taken = min(most, waiting + chunks[0]) * free
            if waiting + chunks[0] - taken <= room:
                waiting += chunks.pop(0)
        taken = min(most, waiting) * free
        waiting -= taken
        if taken:
            free_at = cycle + held
        cycle += 1
    cycle = max(cycle, free_at)
    if acc.dataflow == "reduction":
        cycle += ceil(sum(entries) / macs) * (tokens - 1)
    return cycle


def bits_of_places(rows: int, columns: int, nonzeros: int, entries: int, index: Index) -> int:
    kind = index.format
    pointer = ceil(log2(rows * columns + 1))
    if not nonzeros:
        return 0
    if kind == "bitmap":
        return rows * columns
    if kind == "hierarchical_bitmap":
        return entries
    if kind == "run_length":
        return entries * index.run_bits + rows * ceil(log2(columns + 1))
    if ":" in kind:
        return entries * ceil(log2(int(kind.split(":")[1])))
    if kind == "csr":
        return nonzeros * ceil(log2(columns)) + (rows + 1) * pointer
    return nonzeros * ceil(log2(rows)) + (columns + 1) * pointer


def gather_ports(rows: list[list[int]], lines: int, acc: Accelerator) -> tuple[int, int]:
    """Cycles at the ports, and words read: the s-th nonzeros of all lines together, for every s."""
    asked: list[list[int]] = [[] for _ in range(max(lines, 1))]
    for place, row in enumerate(rows):
        lengths = [len(line) for line in asked]
        free = lengths.index(min(lengths))
        asked[free if acc.row_assignment == "next_free" else place % len(asked)] += row
    total = reads = 0
    for step in range(max(map(len, asked))):
        wanted = {line[step] for line in asked if step < len(line)}
        banks = [column % acc.activation_banks for column in wanted]
        total += max(ceil(banks.count(bank) / acc.activation_ports) for bank in banks)
        reads += len(wanted)
    return total, reads


def sparse_tile(
    mask: Mask,
    dense: Sequence[bool],
    row_range: Range,
    column_range: Range,
    tokens: int,
    acc: Accelerator,
    ld: int,
) -> Tile:
    """One tile of S."""
    ls = acc.lines - ld
    columns = range(*column_range)
    dense_here = [c for c in columns if dense[c]]
    kept = [[mask[r][c] for c in columns if not dense[c]] for r in range(*row_range)]
    counts = [sum(row) for row in kept]
    width = len(columns) - len(dense_here)
    lines = [0] * max(ls, 1)
    compute = decode = entries = 0
    for place, count in enumerate(counts):
        read = row_entries(kept[place], width, len(columns), acc.index) if any(counts) else 0
        entries += read
        need = ceil(read / acc.index.decode_per_cycle)
        macs = mac_cycles(count, tokens, acc)
        if acc.index.decode == "queue" and acc.index.format != "csc":
            row = [(mask[row_range[0] + place][c], dense[c]) for c in columns]
            need = queued_cycles(products_of(row, acc), tokens, acc) if any(counts) else 0
        line = place % max(ls, 1)
        if acc.row_assignment == "next_free":
            line = lines.index(min(lines))
        lines[line] += max(macs, need)
        compute += macs
        decode += max(macs, need) - macs
    places = [[c for c in columns if mask[r][c] and not dense[c]] for r in range(*row_range)]
    gathers = acc.gather == "banked" and acc.dataflow == "token"
    steps, reads = gather_ports(places, ls, acc) if gathers else (0, 0)
    gathered = steps * ceil(tokens / acc.macs_per_line)
    rows, per_row = len(counts), mac_cycles(len(dense_here), tokens, acc)
    values = entries if ":" in acc.index.format else sum(counts)
    bits = (values + rows * len(dense_here)) * acc.bits.weight
    bits += bits_of_places(rows, width, sum(counts), entries, acc.index)
    return {
        "parts": [ceil(rows / ld) * per_row if ld else 0, max(*lines, gathered)],
        "compute": [rows * per_row, compute],
        "decode": decode,
        "bytes": ceil(bits / 8),
        "input_bytes": ceil(len(columns) * tokens * acc.bits.activation / 8),
        "link": rows * tokens if dense_here and ls else 0,
        "late": ls * (max(*lines, gathered) - max(lines)),
        "gathered": gathered_of(sum(counts), reads, (len(columns), tokens), acc, ls),
    }


def gathered_of(
    nonzeros: int, reads: int, inputs: tuple[int, int], acc: Accelerator, ls: int
) -> tuple[int, int, int, int]:
    """Bank reads, words over the crossbar, bytes into the lines' copies, and bits out of them."""
    columns, tokens = inputs
    if acc.gather == "ideal" or not nonzeros:
        return 0, 0, 0, 0
    if acc.dataflow == "token":
        rounds = ceil(tokens / acc.macs_per_line)
        return reads * rounds, nonzeros * rounds, 0, 0
    filled = ceil(columns * tokens * acc.bits.activation / 8) * ls
    return 0, 0, filled, nonzeros * tokens * acc.bits.activation


def factor_tile(
    rows: int,
    columns: int,
    tokens: int,
    acc: Accelerator,
    ld: int,
    lines: int,
    reads_inputs: bool,
) -> Tile:
    """One tile of V or U, its rows dealt over the given lines."""
    load = [0] * lines
    per_row = mac_cycles(columns, tokens, acc)
    for row in range(rows):
        load[row % lines] += per_row
    denser_rows = sum(1 for row in range(rows) if row % lines < ld)
    return {
        "parts": [max(load[:ld], default=0), max(load[ld:], default=0)],
        "compute": [denser_rows * per_row, (rows - denser_rows) * per_row],
        "decode": 0,
        "late": 0,
        "bytes": ceil(rows * columns * acc.bits.factor / 8),
        "input_bytes": ceil(columns * tokens * acc.bits.activation / 8) if reads_inputs else 0,
        "link": denser_rows * tokens if acc.lines > ld else 0,
    }


def tile_lists(
    mask: Mask,
    tokens: int,
    rank: int,
    acc: Accelerator,
    tile: tuple[int, int, int],
    ld: int,
    dense: Sequence[bool],
) -> list[list[Tile]]:
    """The main stream and the factor stream, each in loop order."""
    m, n = len(mask), len(mask[0])
    overlapped = acc.schedule == "overlapped" and rank > 0
    main: list[Tile] = []
    factors: list[Tile] = []
    wide = factors if overlapped else main
    lines = ld if overlapped else acc.lines
    for q, (t0, t1) in enumerate(pieces(tokens, tile[2])):
        made = t1 - t0
        for i, r in enumerate(pieces(rank, tile[0])) if rank else []:
            for j, c in enumerate(pieces(n, tile[1])):
                part = factor_tile(r[1] - r[0], c[1] - c[0], made, acc, ld, acc.lines, True)
                main.append(part | {"kind": "V", "q": q, "i": i, "j": j})
        for i, r in enumerate(pieces(m, tile[0])):
            for j, c in enumerate(pieces(n, tile[1])):
                part = sparse_tile(mask, dense, r, c, made, acc, ld)
                main.append(part | {"kind": "S", "q": q, "i": i, "j": j})
            for j, c in enumerate(pieces(rank, tile[1])) if rank else []:
                part = factor_tile(r[1] - r[0], c[1] - c[0], made, acc, ld, lines, False)
                wide.append(part | {"kind": "U", "q": q, "i": i, "j": j})
    streams = [[t for t in stream if any(t["parts"])] for stream in (main, factors)]
    return [sorted(stream, key=lambda t: turn(t, acc.loop_order)) for stream in streams]


def turn(t: Tile, order: str) -> tuple[int, ...]:
    """Sort key of a tile: the loops from the outermost."""
    if order == "output_stationary":
        return (t["q"], t["kind"] != "V", t["i"], "SU".find(t["kind"]), t["j"])
    if order == "weight_stationary":
        return (t["kind"] != "V", t["i"], "SU".find(t["kind"]), t["j"], t["q"])
    return (t["q"], "VSU".index(t["kind"]), t["j"], t["i"])


def slot_count(buffer: Buffer, room: int, unit: int) -> int:
    return max(room // max(unit, 1), 1) if buffer.slots == "auto" else buffer.slots


def divide(buffer: Buffer, room: int, rounds: int, piece: int, whole: int) -> tuple[bool, int]:
    """Whether whole token blocks stay, and the number of slots."""
    if buffer.slots != "auto":
        slots = slot_count(buffer, room, piece)
        return whole <= room // slots, slots
    stays = whole * min(rounds, 2) <= room
    return stays, slot_count(buffer, room, whole if stays else piece)


def share(tiles: list[Tile], keys: tuple[str, ...], name: str) -> None:
    """Give tiles in a row that agree in some keys one list of them; without keys, each its own."""
    run: list[Tile] = []
    for t in tiles:
        if not keys or not run or any(t[key] != run[-1][key] for key in keys):
            run = []
        run.append(t)
        t[name] = run


def bits_of_s(
    mask: Mask, acc: Accelerator, tile: tuple[int, int, int], dense: Sequence[bool]
) -> int:
    """Bits of values, padding and places of S outside dense columns, over all tiles once."""
    total = 0
    for row_range in pieces(len(mask), tile[0]):
        for column_range in pieces(len(mask[0]), tile[1]):
            columns = range(*column_range)
            kept = [[mask[r][c] for c in columns if not dense[c]] for r in range(*row_range)]
            count = sum(map(sum, kept))
            width = sum(not dense[c] for c in columns)
            read = [row_entries(row, width, len(columns), acc.index) for row in kept if count]
            values = sum(read) if ":" in acc.index.format else count
            total += values * acc.bits.weight
            total += bits_of_places(len(kept), width, count, sum(read), acc.index)
    return total
