"""How many lines the denser engine gets."""

import dataclasses

import pytest

from accelerator_sim.machine.hardware import LineSplit, TileChoice
from accelerator_sim.mapping.split import proportional_lines
from accelerator_sim.planning.planner import plan_projection
from tests.accelerator_sim.machines import projection, random_mask, small_machine


def test_choose_denser_lines_auto_is_no_slower_than_any_fixed_split() -> None:
    mask = random_mask(32, 48, 0.3, seed=4)
    mask[:, ::5] = True
    machine = small_machine(lines=8, dense_threshold=0.75, tile=TileChoice(16, 48, 1))

    def slower_engine(split: LineSplit) -> int:
        changed = dataclasses.replace(machine, denser_lines=split)
        main = plan_projection(projection(mask), changed).program.main
        return int(max(main.denser_cycles.sum(), main.sparser_cycles.sum()))

    assert slower_engine("auto") == min(slower_engine(split) for split in range(1, 8))


@pytest.mark.parametrize(
    ("denser", "sparser", "lines"), [(1, 1, 32), (0, 5, 0), (5, 0, 64), (1, 9999, 1), (9999, 1, 63)]
)
def test_proportional_lines_rounds_half_up_and_keeps_one_each(
    denser: int, sparser: int, lines: int
) -> None:
    assert proportional_lines(denser, sparser, lines=64) == lines
    assert proportional_lines(5, 59 * 2 - 5 + 10, lines=64) == round(64 * 5 / 123 + 1e-9)
