"""Sparse tiles as strings of bits, and back: an independent reading of the index formats.

Shares no code with ``accelerator_sim`` or ``workloads``. A tile is a list of rows; a row has a
value (a whole number that is not zero) or None at each column. Values are kept beside the bits:
only places are encoded.
"""


def binary(number, width):
    """A number in exactly ``width`` bits, the highest first."""
    text = format(number, "b").zfill(width) if width else ""
    assert len(text) == width, (number, width)
    return text


def width_of(largest):
    """Bits that the numbers 0 to ``largest`` need."""
    return len(format(largest, "b")) if largest else 0


class Reader:
    def __init__(self, text):
        self.text, self.place = text, 0

    def take(self, width):
        piece = self.text[self.place : self.place + width]
        assert len(piece) == width
        self.place += width
        return int(piece, 2) if width else 0


def encode_runs(tile, code_bits):
    """Bits, values and entries of each row: for each row its entry count and its codes."""
    if all(value is None for row in tile for value in row):
        return "", [], [0] * len(tile)
    escape = 2**code_bits - 1
    bits, values, entries = "", [], []
    for row in tile:
        codes, run = [], 0
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


def decode_runs(bits, values, rows, columns, code_bits):
    """The tile again."""
    tile = [[None] * columns for _ in range(rows)]
    if not bits:
        return tile
    reader, values = Reader(bits), list(values)
    for row in tile:
        column = 0
        for _ in range(reader.take(width_of(columns))):
            code = reader.take(code_bits)
            column += code
            if code < 2**code_bits - 1:
                row[column] = values.pop(0)
                column += 1
    assert reader.place == len(bits)
    assert not values
    return tile


def encode_groups(tile, most, group):
    """Bits, values (padding is 0) and entries of each row, N places and values for each group."""
    if all(value is None for row in tile for value in row):
        return "", [], [0] * len(tile)
    bits, values, entries = "", [], []
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


def decode_groups(bits, values, rows, columns, most, group):
    """The tile again."""
    tile = [[None] * columns for _ in range(rows)]
    if not values:
        return tile
    reader, values = Reader(bits), list(values)
    for row in tile:
        for start in range(0, columns, group):
            for _ in range(min(most, columns - start)):
                place, value = reader.take(width_of(group - 1)), values.pop(0)
                if value:
                    row[start + place] = value
    assert reader.place == len(bits)
    assert not values
    return tile
