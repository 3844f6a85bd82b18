"""Sparse tiles as strings of bits, and back: an independent reading of the index formats.

Shares no code with ``accelerator_sim`` or ``workloads``. A tile is a list of rows; a row has a
value (a whole number that is not zero) or None at each column. Values are kept beside the bits:
only places are encoded.
"""

from collections.abc import Sequence

Tile = Sequence[Sequence[int | None]]
Encoded = tuple[str, list[int], list[int]]


def binary(number: int, width: int) -> str:
    """A number in exactly ``width`` bits, the highest first."""
    text = format(number, "b").zfill(width) if width else ""
    assert len(text) == width, (number, width)
    return text


def width_of(largest: int) -> int:
    """Bits that the numbers 0 to ``largest`` need."""
    return len(format(largest, "b")) if largest else 0


class Reader:
    def __init__(self, text: str) -> None:
        self.text, self.position = text, 0

    def take(self, width: int) -> int:
        piece = self.text[self.position : self.position + width]
        assert len(piece) == width
        self.position += width
        return int(piece, 2) if width else 0


def encode_runs(tile: Tile, code_bits: int) -> Encoded:
    """Bits, values and entries of each row: for each row its entry count and its codes."""
    if all(value is None for row in tile for value in row):
        return "", [], [0] * len(tile)
    escape = 2**code_bits - 1
    bits = ""
    values: list[int] = []
    entries: list[int] = []
    for row in tile:
        codes: list[int] = []
        run = 0
        for value in row:
            if value is None:
                run += 1
                continue
            while run >= escape:
                codes.append(escape)
                run -= escape
            codes.append(run)
            values.append(value)
            run = 0
        bits += binary(len(codes), width_of(len(row)))
        bits += "".join(binary(code, code_bits) for code in codes)
        entries.append(len(codes))
    return bits, values, entries


def decode_runs(bits: str, values: Sequence[int], rows: int, columns: int, code_bits: int) -> Tile:
    """The tile again."""
    tile: list[list[int | None]] = [[None] * columns for _ in range(rows)]
    if not bits:
        return tile
    reader, left = Reader(bits), list(values)
    for row in tile:
        column = 0
        for _ in range(reader.take(width_of(columns))):
            code = reader.take(code_bits)
            column += code
            if code < 2**code_bits - 1:
                row[column] = left.pop(0)
                column += 1
    assert reader.position == len(bits)
    assert not left
    return tile


def encode_blocks(tile: Tile, places: int) -> Encoded:
    """Bits, values and entries of each row: for each row a bit per block, then the blocks."""
    if all(value is None for row in tile for value in row):
        return "", [], [0] * len(tile)
    bits = ""
    values: list[int] = []
    entries: list[int] = []
    for row in tile:
        blocks = [row[start : start + places] for start in range(0, len(row), places)]
        levels = ["", ""]
        for block in blocks:
            kept = [value for value in block if value is not None]
            levels[0] += "1" if kept else "0"
            levels[1] += "".join("0" if value is None else "1" for value in block) if kept else ""
            values += kept
        bits += levels[0] + levels[1]
        entries.append(len(levels[0] + levels[1]))
    return bits, values, entries


def decode_blocks(bits: str, values: Sequence[int], rows: int, columns: int, places: int) -> Tile:
    """The tile again."""
    tile: list[list[int | None]] = [[None] * columns for _ in range(rows)]
    if not bits:
        return tile
    reader, left = Reader(bits), list(values)
    for row in tile:
        starts = range(0, columns, places)
        for start in [start for start in starts if reader.take(1)]:
            for column in range(start, min(start + places, columns)):
                if reader.take(1):
                    row[column] = left.pop(0)
    assert reader.position == len(bits)
    assert not left
    return tile


def encode_groups(tile: Tile, most: int, group: int) -> Encoded:
    """Bits, values (padding is 0) and entries of each row, N places and values for each group."""
    if all(value is None for row in tile for value in row):
        return "", [], [0] * len(tile)
    bits = ""
    values: list[int] = []
    entries: list[int] = []
    for row in tile:
        before = len(values)
        for start in range(0, len(row), group):
            piece = row[start : start + group]
            kept = [(place, value) for place, value in enumerate(piece) if value is not None]
            slots = min(most, len(piece))
            assert len(kept) <= slots
            kept += [(0, 0)] * (slots - len(kept))
            bits += "".join(binary(place, width_of(group - 1)) for place, _ in kept)
            values += [value for _, value in kept]
        entries.append(len(values) - before)
    return bits, values, entries


def decode_groups(
    bits: str, values: Sequence[int], rows: int, columns: int, most: int, group: int
) -> Tile:
    """The tile again."""
    tile: list[list[int | None]] = [[None] * columns for _ in range(rows)]
    if not values:
        return tile
    reader, left = Reader(bits), list(values)
    for row in tile:
        for start in range(0, columns, group):
            for _ in range(min(most, columns - start)):
                place, value = reader.take(width_of(group - 1)), left.pop(0)
                if value:
                    row[start + place] = value
    assert reader.position == len(bits)
    assert not left
    return tile
