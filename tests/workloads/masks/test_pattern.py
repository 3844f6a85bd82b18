import pytest

from workloads.masks.pattern import Pattern, parse_pattern


@pytest.mark.parametrize(
    ("text", "expected"), [("2:4", (2, 4)), ("1:2", (1, 2)), ("15:16", (15, 16)), ("9:99", (9, 99))]
)
def test_parse_pattern_n_below_m(text: str, expected: tuple[int, int]) -> None:
    assert parse_pattern(text) == Pattern(*expected)


@pytest.mark.parametrize(
    "text", ["4:4", "4:2", "0:4", "2:0", "02:4", "2:100", "2:4 ", "2:4:8", "row", "", ":4", "٢:٤"]
)
def test_parse_pattern_everything_else_is_none(text: str) -> None:
    assert parse_pattern(text) is None
