"""Instruction data: rows of instruction, input and output, as prompts and the responses to learn.

Rows come from a local JSON lines file or, by the name ``alpaca``, from the Hugging Face hub.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workloads.support.errors import InputError
from workloads.support.files import sha256_file
from workloads.support.reading import read_text
from workloads.texts.hub import fetch

ALPACA = "alpaca"
SUFFIX = ".jsonl"
_REPOSITORY = "tatsu-lab/alpaca"
_FILE = "data/train-00000-of-00001-a09b74b3ef9c3b56.parquet"
_COLUMNS = ("instruction", "input", "output")
_OFFLINE = "give a local JSON lines file of the same rows: --data FILE.jsonl"
# Both templates: PROMPT_DICT in train.py of tatsu-lab/stanford_alpaca.
_WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further "
    "context. Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:"
)
_WITHOUT_INPUT = (
    "Below is an instruction that describes a task. Write a response that appropriately completes "
    "the request.\n\n### Instruction:\n{instruction}\n\n### Response:"
)


@dataclass(frozen=True)
class Example:
    """A prompt and the response to it; the prompt is empty where all of a text is to be learnt."""

    prompt: str
    response: str


@dataclass(frozen=True)
class Instructions:
    """Examples, where they came from, and the hash of that file."""

    source: str
    sha256: str
    examples: tuple[Example, ...]


def load_instructions(source: str) -> Instructions:
    """Examples by name or path.

    Args:
        source: ``alpaca`` (from the hub), or the path of a JSON lines file whose rows are
            ``{"instruction": ..., "input": ..., "output": ...}``, the input being optional, or
            ``{"text": ...}``. Other keys are left alone.

    Raises:
        InputError: The file is missing or a row is not as above, named by its line; or the hub
            cannot be reached.
    """
    if source == ALPACA:
        path = fetch(ALPACA, _REPOSITORY, _FILE, _OFFLINE)
        rows, name = _alpaca_rows(path), f"{ALPACA}:train"
    else:
        path = Path(source)
        rows, name = _json_rows(path), path.name
    if not rows:
        raise InputError(f"{path}: no rows; one JSON object per line is expected")
    examples = tuple(_example(row, where) for where, row in rows.items())
    return Instructions(name, sha256_file(path), examples)


def _example(row: Any, where: str) -> Example:
    """One row in Alpaca's prompt format; ``where`` is for the error."""
    if not isinstance(row, dict) or not ("instruction" in row or "text" in row):
        raise InputError(f'{where}: not an object with "instruction" and "output", or with "text"')
    if "instruction" not in row:
        return Example("", _text(row, "text", where))
    fields = {key: _text(row, key, where) for key in ("instruction", "output")}
    given = _text(row, "input", where) if row.get("input") is not None else ""
    template = _WITH_INPUT if given else _WITHOUT_INPUT
    return Example(template.format(**fields, input=given), fields["output"])


def _text(row: Mapping[str, Any], key: str, where: str) -> str:
    value = row.get(key)
    if not isinstance(value, str):
        found = "is missing" if value is None else f"is {type(value).__name__}"
        raise InputError(f'{where}: "{key}" {found}; a string is expected')
    return value


def _json_rows(path: Path) -> dict[str, Any]:
    """Parsed rows by the place that an error would name."""
    try:
        lines = read_text(path).split("\n")
    except InputError as error:
        raise InputError(f"{error}; give a UTF-8 file of JSON lines") from error
    rows = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            where = f"{path}, line {number}"
            try:
                rows[where] = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InputError(f"{where}: not JSON ({error})") from error
    return rows


def _alpaca_rows(path: Path) -> dict[str, Any]:
    import pyarrow.parquet

    try:
        rows = pyarrow.parquet.read_table(path, columns=list(_COLUMNS)).to_pylist()
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{ALPACA}: {path} cannot be read ({error})") from error
    return {f"{path}, row {number}": row for number, row in enumerate(rows, 1)}
