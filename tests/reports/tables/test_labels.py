"""What the notes of tables say of bits."""

from dataclasses import replace

import pytest

from reports.tables.labels import bits_note
from tests.reports.results import SUBJECT, cycles


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ("F32", "stores F32, at which perplexity is measured: no accuracy was measured"),
        ("I4/F32", "no accuracy was measured at the machine's bits"),
        ("I8", "stores I8, at which perplexity is measured: activations are not rounded there."),
        ("I4/F8_E4M3", "activations are not rounded there."),
    ],
)
def test_bits_note_says_what_was_measured_at_which_bits(stored: str, said: str) -> None:
    result = cycles("published", 0.5, subject=replace(SUBJECT, stored_dtype=stored))
    assert said in bits_note([result])


def test_bits_note_of_masks_alone_speaks_of_no_accuracy() -> None:
    result = cycles("published", 0.5, subject=replace(SUBJECT, stored_dtype=None))
    assert "perplexity" not in bits_note([result])
