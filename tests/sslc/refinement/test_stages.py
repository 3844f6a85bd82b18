"""Refinements by name, and the fall of the learning rate."""

from typing import Any

import pytest

from sslc.refinement.stages import (
    NO_REFINEMENT,
    BlockMatching,
    LogitDistillation,
    Refinement,
    falling,
    read_refinement,
)
from workloads.support.errors import InputError


def test_read_refinement_takes_stages_and_their_settings() -> None:
    assert read_refinement("none", {}) == NO_REFINEMENT == Refinement()
    assert read_refinement("blocks", {"blocks.norms": True}) == Refinement(
        BlockMatching(norms=True)
    )
    both = read_refinement("blocks, logits", {"logits.steps": 7, "blocks.epochs": 2})
    assert both == Refinement(BlockMatching(epochs=2), LogitDistillation(steps=7))
    assert set(both.to_json()) == {"blocks", "logits"}
    assert NO_REFINEMENT.to_json() == {}


@pytest.mark.parametrize(
    ("stages", "settings", "message"),
    [
        ("layers", {}, "unknown refinement 'layers'"),
        ("none,blocks", {}, "unknown refinement 'none'"),
        ("blocks", {"steps": 3}, "name the stage too"),
        ("blocks", {"logits.steps": 3}, "does not name logits"),
        ("logits", {"logits.step": 3}, "unknown key 'step'"),
        ("logits", {"logits.steps": 0}, "steps must be at least 1"),
        ("logits", {"logits.clip": 0.0}, "clip must be above 0"),
        ("blocks", {"blocks.learning_rate": 0.0}, "learning_rate must be above 0"),
        ("blocks", {"blocks.floor": 1.5}, "floor must lie in"),
    ],
)
def test_read_refinement_bad_stage_or_setting_is_named(
    stages: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_refinement(stages, settings)


def test_falling_rises_then_falls_by_a_cosine() -> None:
    """Two steps up, then from 1 to 0.2 in four: cos at 0, 45, 90 and 135 degrees."""
    shares = [falling(step, steps=6, warmup=2, floor=0.2) for step in range(6)]
    assert shares == pytest.approx(
        [0.5, 1.0, 1.0, 0.2 + 0.4 * (1 + 0.5**0.5), 0.6, 0.2828427 + 0.0343145]
    )
