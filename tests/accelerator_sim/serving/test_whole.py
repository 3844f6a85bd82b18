"""A whole model against its parts: times from cycles, energies, refusals, its file."""

import json
from typing import Any

import pytest

from accelerator_sim import Workload, simulate, simulate_whole
from accelerator_sim.serving.whole import MIN_SAMPLES
from accelerator_sim.serving.whole_model_result import WholeModelResult, parts_table
from accelerator_sim.sources import Source, open_source
from tests.accelerator_sim.machines import projection, random_mask, small_machine
from workloads.masks.synthetic import synthetic_block
from workloads.results.codec import to_json
from workloads.results.envelope import result_from_json, result_to_json
from workloads.results.identity import Subject
from workloads.shapes.attention import Heads
from workloads.shapes.embedding import Embedding
from workloads.shapes.transformer import ModelShape
from workloads.support.errors import InputError

SHAPE = ModelShape("tiny", 16, 24, 4, 2, 4, 3, vocabulary=40)


def source(blocks: int = 2) -> Source:
    """Blocks of a tiny model with masks of their own."""
    return Source(
        projections=lambda tokens: (
            (block, item)
            for block in range(SHAPE.blocks)
            for item in synthetic_block(SHAPE, 0.5, 2, tokens=tokens or 1, seed=block)
        ),
        blocks=blocks,
        of_blocks=SHAPE.blocks,
        heads=lambda: Heads(4, 2, 4),
        subject=lambda seen: Subject("tiny", "synthetic", seen.kept_fraction, "made", seen.sha256),
        embedding=lambda: Embedding(40, 16),
    )


def served(**options: Any) -> WholeModelResult:
    return simulate_whole(
        source(), small_machine(), **{"prompt": 6, "output": 3, "batch": 2, **options}
    )


def test_simulate_whole_projections_are_those_of_simulate_scaled_to_all_blocks() -> None:
    result = served()
    for phase, tokens, steps in (("prefill", 12, 1), ("decode", 2, 2)):
        alone = simulate(source(), small_machine(), models="compiled", tokens=tokens)["compiled"]
        [part] = [p for p in result.parts if (p.phase, p.name) == (phase, "projections")]
        dense = sum(cycles.dense_cycles for cycles in alone.total.values())
        whole = sum(cycles.sum_cycles for cycles in alone.total.values())
        assert part.dense.cycles == pytest.approx(dense * steps * 3 / 2)
        assert part.compressed.cycles == pytest.approx(whole * steps * 3 / 2)
        energies = [block.energy.values() for block in alone.blocks]
        pj = sum(runs["sum"].total_pj for modules in energies for runs in modules)
        assert part.compressed.energy_pj == pytest.approx(pj * steps * 3 / 2)


def test_simulate_whole_times_come_from_cycles_and_clock() -> None:
    result, clock = served(), small_machine().clock_hz
    first = sum(part.compressed.cycles for part in result.parts if part.phase == "prefill")
    later = sum(part.compressed.cycles for part in result.parts if part.phase == "decode")
    feels = result.compressed
    assert feels.first_token_seconds == pytest.approx(first / clock)
    assert feels.token_seconds == pytest.approx(later / clock / 2)
    assert feels.tokens_per_second == pytest.approx(2 * 3 * clock / (first + later))
    energy = sum(part.compressed.energy_pj or 0 for part in result.parts)
    assert feels.joules_per_token == pytest.approx(energy / 1e12 / 6)
    dense = sum(part.dense.cycles for part in result.parts)
    assert result.speedup == pytest.approx(dense / (first + later))


def test_simulate_whole_cache_holds_every_token_but_the_last() -> None:
    """3 blocks, 2 heads of 4, 2 sequences of 6 + 3 - 1 tokens, keys and values."""
    assert served().kv_cache_bytes == 2 * 3 * 2 * 4 * 2 * 8
    assert served(kv_bits=4).kv_cache_bytes == 3 * 2 * 4 * 2 * 8


def test_simulate_whole_one_token_has_no_next_one() -> None:
    result = served(output=1)
    assert {part.phase for part in result.parts} == {"prefill"}
    assert result.dense.token_seconds is None
    assert result.dense.tokens_per_second == pytest.approx(2 / result.dense.first_token_seconds)


def test_simulate_whole_roofline_bounds_the_simulation_and_has_no_energy() -> None:
    bound, run = served(model="roofline"), served(model="event")
    assert bound.dense.joules_per_token is None
    assert [part.name for part in bound.parts] == [part.name for part in run.parts]
    assert all(
        low.compressed.cycles <= high.compressed.cycles
        for low, high in zip(bound.parts, run.parts, strict=True)
    )
    assert run.parts == served(model="compiled").parts


def test_simulate_whole_result_is_read_back_from_its_json_and_drawn() -> None:
    result = served()
    value = json.loads(json.dumps(result_to_json(result), allow_nan=False))
    assert result_from_json(value, [WholeModelResult], "here") == result
    assert to_json(result)["kv_cache_bytes"] == result.kv_cache_bytes
    assert [row[-2] for row in result.to_table().rows] == pytest.approx([1.0, result.speedup])
    assert sum(float(row[-1] or 0) for row in parts_table(result).rows) == pytest.approx(1)
    panels = result.plot().axes
    assert [axes.get_title() for axes in panels] == ["first token", "each further token (mean)"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "published"}, "products only"),
        ({"prompt": 0}, "prompt must be at least 1"),
        ({"kv_bits": 0}, "kv_bits must be at least 1"),
        ({"max_samples": MIN_SAMPLES - 1}, "max_samples must be at least 3"),
    ],
)
def test_simulate_whole_what_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        served(**options)


def test_simulate_whole_projections_alone_are_refused() -> None:
    with pytest.raises(InputError, match="masks do not tell the heads"):
        simulate_whole(projection(random_mask(8, 16, 0.5, seed=1)), small_machine())


def test_open_source_shape_knows_its_ends() -> None:
    opened = open_source(Workload(model="llama2-7b"))
    assert opened.embedding() == Embedding(32000, 4096)
