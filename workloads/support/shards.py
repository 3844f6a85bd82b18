"""Tables as Parquet files whose content is compared with its hash when it is read.

Parquet's own page checksums leave out dictionaries and headers; the hash in the file's metadata is
of all values.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from workloads.support.errors import InputError
from workloads.support.reading import read_bytes

_KEY = b"sslc.sha256"


def table_bytes(table: pa.Table) -> bytes:
    """A table as the bytes of a Parquet file, with checksums of pages and the hash of its rows."""
    metadata = {**(table.schema.metadata or {}), _KEY: _digest(table).encode()}
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(metadata), sink, write_page_checksum=True)
    return bytes(sink.getvalue())


def read_table(path: Path, columns: pa.Schema) -> pa.Table:
    """A table that ``table_bytes`` made; one without a hash is read too.

    Args:
        path: The file.
        columns: What it must hold.

    Raises:
        InputError: It cannot be read, has other columns, or is not what was written.
    """
    buffer = pa.BufferReader(read_bytes(path))
    try:
        file = pq.ParquetFile(buffer, page_checksum_verification=True)
        table = file.read()
        expected = (table.schema.metadata or {}).get(_KEY)
        plain = table.replace_schema_metadata(columns.metadata)
        if not plain.schema.equals(columns):
            raise pa.ArrowInvalid(f"its columns are not {', '.join(columns.names)}")
        if expected is not None and expected != _digest(plain).encode():
            raise pa.ArrowInvalid("its values are not those that were written")
    except (OSError, ValueError, MemoryError, pa.ArrowException) as error:
        raise InputError(f"{path}: not a whole table ({error})") from error
    return plain


def _digest(table: pa.Table) -> str:
    """Of names, types and rows; every double is written so that it reads back the same."""
    content: list[Any] = [[[field.name, str(field.type)] for field in table.schema]]
    content += [column.to_pylist() for column in table.columns]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
