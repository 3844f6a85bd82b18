"""Numbers that both engines share."""

from accelerator_sim.simulation.conventions import (
    NEVER,
    closed_gates,
    complete_gate,
    free_gate,
    open_gate,
)


def test_closed_gates_open_for_the_first_token_block_and_for_tiles_without_one() -> None:
    """Two token blocks: free, complete, free, complete; one for nobody; one always open."""
    assert closed_gates(2).tolist() == [0, NEVER, NEVER, NEVER, NEVER, 0]


def test_gates_of_different_purpose_are_different() -> None:
    blocks = range(5)
    numbers = [gate(block) for block in blocks for gate in (free_gate, complete_gate)]
    assert len({*numbers, free_gate(5), open_gate(5)}) == 12
    assert open_gate(5) == len(closed_gates(5)) - 1
