"""Instruction data: Alpaca's prompts, and what is said about rows that are none."""

import json
from pathlib import Path

import huggingface_hub
import pyarrow as pa
import pyarrow.parquet
import pytest

from workloads.support.errors import InputError
from workloads.support.files import sha256_file
from workloads.texts.instructions import Example, load_instructions

ROWS = [
    {"instruction": "Add.", "input": "1 and 2", "output": "3"},
    {"instruction": "Greet.", "input": "", "output": "Hello"},
]
EXAMPLES = (
    Example(
        "Below is an instruction that describes a task, paired with an input that provides further "
        "context. Write a response that appropriately completes the request.\n\n"
        "### Instruction:\nAdd.\n\n### Input:\n1 and 2\n\n### Response:",
        "3",
    ),
    Example(
        "Below is an instruction that describes a task. Write a response that appropriately "
        "completes the request.\n\n### Instruction:\nGreet.\n\n### Response:",
        "Hello",
    ),
)


def test_load_instructions_rows_become_alpacas_prompts(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [*ROWS, {"instruction": "Greet.", "output": "Hello", "id": 7}, {"text": "A \u2028 b."}]
    path.write_text("\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n")
    found = load_instructions(str(path))
    assert (found.source, found.sha256) == ("rows.jsonl", sha256_file(path))
    assert found.examples == (*EXAMPLES, EXAMPLES[1], Example("", "A \u2028 b."))


def test_load_instructions_alpaca_is_read_from_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(repository: str, file: str, *, repo_type: str, local_files_only: bool) -> str:
        assert local_files_only
        assert (repository, repo_type) == ("tatsu-lab/alpaca", "dataset")
        assert file == "data/train-00000-of-00001-a09b74b3ef9c3b56.parquet"
        return str(tmp_path / "alpaca.parquet")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    table = pa.Table.from_pylist([row | {"text": "all of it"} for row in ROWS])
    pyarrow.parquet.write_table(table, tmp_path / "alpaca.parquet")
    found = load_instructions("alpaca")
    assert (found.source, found.examples) == ("alpaca:train", EXAMPLES)
    (tmp_path / "alpaca.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"alpaca\.parquet cannot be read"):
        load_instructions("alpaca")


@pytest.mark.parametrize(
    ("third", "message"),
    [
        ("{", "rows.jsonl, line 3: not JSON"),
        ("[1]", 'line 3: not an object with "instruction"'),
        ('{"output": "a"}', 'line 3: not an object with "instruction"'),
        ('{"instruction": "a"}', 'line 3: "output" is missing'),
        ('{"instruction": 1, "output": "a"}', 'line 3: "instruction" is int'),
        ('{"instruction": "a", "input": [], "output": "a"}', 'line 3: "input" is list'),
        ('{"text": null}', 'line 3: "text" is missing'),
        ('{"text": ' + "[" * 100_000, "line 3: not JSON"),
    ],
)
def test_load_instructions_bad_row_is_named_by_its_line(
    tmp_path: Path, third: str, message: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROWS[0]) + "\n\n" + third + "\n")
    with pytest.raises(InputError) as error:
        load_instructions(str(path))
    assert message in str(error.value)
    assert str(path) in str(error.value)


def test_load_instructions_bad_file_is_refused(tmp_path: Path) -> None:
    for content, message in ((b"\n", "no rows"), (b"\xff", "give a UTF-8 file"), (None, "No such")):
        path = tmp_path / "rows.jsonl"
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InputError, match=message):
            load_instructions(str(path))
