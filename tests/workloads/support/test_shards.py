from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workloads.support.errors import InputError
from workloads.support.shards import read_table, table_bytes

TABLE = pa.table(
    {
        "point": pa.array(range(20)),
        "lines": pa.array([1, 2] * 10),
        "reason": pa.array([None, "no room"] * 10),
        "cycles": pa.array([0.1 * place if place % 2 else None for place in range(20)]),
    }
)


def test_read_table_is_what_was_written_by_any_reader_too(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(table_bytes(TABLE))
    assert read_table(path, TABLE.schema).equals(TABLE)
    assert pq.read_table(path).equals(TABLE)
    assert table_bytes(TABLE) == table_bytes(TABLE)


def test_read_table_any_flipped_bit_is_seen_or_changes_nothing(tmp_path: Path) -> None:
    """Dictionaries and headers of pages included, which Parquet's own checksums leave out."""
    data, path = table_bytes(TABLE), tmp_path / "a.parquet"
    seen = 0
    for at in np.random.default_rng(0).choice(len(data), 500, replace=False).tolist():
        damaged = bytearray(data)
        damaged[at] ^= 1 << at % 8
        path.write_bytes(damaged)
        try:
            assert read_table(path, TABLE.schema).equals(TABLE)
        except InputError:
            seen += 1
    assert seen > 250


def test_read_table_without_a_hash_is_read_with_other_columns_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(TABLE, path)
    assert read_table(path, TABLE.schema).equals(TABLE)
    with pytest.raises(InputError, match="its columns are not point, lines"):
        read_table(path, TABLE.schema.remove(3))
    path.write_bytes(b"PAR1")
    with pytest.raises(InputError, match="not a whole table"):
        read_table(path, TABLE.schema)
