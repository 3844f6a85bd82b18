"""Damaged files of every format: one sentence that names the file, or a value; nothing else.

``python -m benchmarks.faults`` does the same with thousands of files and other seeds.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faults.damage import damaged
from tests.faults.formats import FORMATS, Format
from workloads.support.errors import InputError, InputWarning

EXAMPLES = 40


def outcome(file: Path, form: Format, whole: bytes, data: bytes) -> str:
    """Read a file whose bytes are others: ``refused``, ``same`` or ``other`` value.

    Raises:
        AssertionError: A hashed format gave another value, or the sentence is none.
    """
    expected = form.read(file)
    file.write_bytes(data)
    try:
        found = form.read(file)
    except InputError as error:
        message = str(error)
        assert message.isprintable()
        assert len(message) < 2100
        assert file.parent.name in message or file.name in message, message
        return "refused"
    finally:
        file.write_bytes(whole)
    same = bool(found == expected)
    assert same or not form.exact, "damage to a hashed file gave another value"
    return "same" if same else "other"


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        yield


@pytest.mark.parametrize("name", FORMATS)
def test_whole_file_of_every_format_is_read(name: str, tmp_path: Path) -> None:
    form = FORMATS[name]
    file = form.make(tmp_path)
    assert form.read(file) == form.read(file)


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_file_of_any_format_is_refused_in_one_sentence_or_read(
    name: str, tmp_path: Path
) -> None:
    form = FORMATS[name]
    file = form.make(tmp_path)
    whole = file.read_bytes()
    outcomes = []

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 2**32))
    def check(seed: int) -> None:
        outcomes.append(outcome(file, form, whole, damaged(whole, Random(seed))))

    check()
    assert "refused" in outcomes or name == "text"
