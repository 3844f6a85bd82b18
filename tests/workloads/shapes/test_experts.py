import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.shapes.experts import divide_tokens, expert_of


@pytest.mark.parametrize(
    ("tokens", "active", "seen", "expected"),
    [
        (1, 2, [1, 1, 1, 1], [1, 1, 0, 0]),
        (3, 2, [1, 1, 1, 1], [2, 2, 1, 1]),
        (1, 2, [5, 0, 9, 7], [0, 0, 1, 1]),
        (10, 2, [8, 1, 1, 0], [10, 5, 5, 0]),
        (4, 1, [0, 0], [2, 2]),
    ],
)
def test_divide_tokens_known_cases(
    tokens: int, active: int, seen: list[int], expected: list[int]
) -> None:
    assert divide_tokens(tokens, active, seen) == expected


@given(st.integers(1, 40), st.integers(1, 5), st.lists(st.integers(0, 50), min_size=5, max_size=9))
def test_divide_tokens_gives_every_visit_and_no_token_twice(
    tokens: int, active: int, seen: list[int]
) -> None:
    parts = divide_tokens(tokens, active, seen)
    assert sum(parts) == tokens * active
    assert all(0 <= part <= tokens for part in parts)


def test_divide_tokens_more_active_than_experts_raises() -> None:
    with pytest.raises(ValueError, match="3 active experts of 2"):
        divide_tokens(1, 3, [1, 1])


@pytest.mark.parametrize(
    ("name", "expert"),
    [("mlp.experts.12.gate_proj", 12), ("mlp.gate_proj", None), ("self_attn.q_proj", None)],
)
def test_expert_of_names(name: str, expert: int | None) -> None:
    assert expert_of(name) == expert
