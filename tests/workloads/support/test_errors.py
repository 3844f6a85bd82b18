import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.support.errors import InputError, printable, shown, unknown_name


def test_input_error_names_with_line_breaks_and_escapes_stay_one_printable_line() -> None:
    error = InputError("a\nb.toml: \x1b[31mred\x1b[0m, nul \0, \u202eright to left")
    assert str(error) == (r"a b.toml: \x1b[31mred\x1b[0m, nul \x00, \u202eright to left")


@given(st.text(max_size=3000))
def test_printable_any_text_is_one_short_printable_line(text: str) -> None:
    line = printable(text)
    assert line.replace("\u00a0", " ").isprintable()
    assert len(line) <= 2003


def test_printable_plain_sentence_is_unchanged() -> None:
    sentence = "modèle 模型: W ≈ S + U Vᵀ is “fine”"
    assert printable(sentence) == sentence


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12, "12"),
        ("x", "'x'"),
        (10**400, "a whole number of 1329 bits"),
        ("y" * 10**6, "'" + "y" * 79 + "…"),
        ([1, 2], "[1, 2]"),
    ],
)
def test_shown_long_values_are_cut(value: object, expected: str) -> None:
    assert shown(value) == expected


def test_unknown_name_a_long_one_is_cut_and_compared_in_no_time() -> None:
    message = str(unknown_name("model", "llama2-7b" + "x" * 10**6, ["llama2-7b", "opt"]))
    assert len(message) < 200
