"""Sums of cycles and energy, and sums over sampled contexts against every context."""

import pytest

from accelerator_sim.serving.amounts import Amount, integrate, total


def test_total_one_part_without_energy_has_none() -> None:
    assert total([Amount(1.0, 2.0), Amount(3.0, 4.0)]) == Amount(4.0, 6.0)
    assert total([Amount(1.0, 2.0), Amount(3.0, None)]) == Amount(4.0, None)
    assert Amount(2.0, 3.0).times(1.5) == Amount(3.0, 4.5)


def test_integrate_few_contexts_asks_for_each_and_leaves_nothing_open() -> None:
    asked: list[int] = []

    def cost(context: int) -> Amount:
        asked.append(context)
        return Amount(context**2, float(context))

    whole = integrate([1, 2, 3, 4], cost, max_samples=4)
    assert asked == [1, 2, 3, 4]
    assert (whole.amount, whole.error_cycles) == (Amount(30, 10.0), 0.0)


def test_integrate_straight_line_from_three_samples_is_exact() -> None:
    contexts = range(513, 640)
    whole = integrate(contexts, lambda c: Amount(7.0 * c + 3, 2.0 * c), max_samples=3)
    assert whole.amount.cycles == pytest.approx(sum(7 * c + 3 for c in contexts))
    assert whole.amount.energy_pj == pytest.approx(sum(2 * c for c in contexts))
    assert whole.error_cycles == pytest.approx(0, abs=1e-6)


def test_integrate_curve_states_more_than_its_error() -> None:
    contexts = range(1, 1000)
    exact = sum(c**2 for c in contexts)
    whole = integrate(contexts, lambda c: Amount(float(c**2), None), max_samples=9)
    assert 0 < abs(whole.amount.cycles - exact) < whole.error_cycles < 0.05 * exact
    assert whole.amount.energy_pj is None
