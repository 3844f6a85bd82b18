"""Salience on matrices small enough for paper, and against slow references."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sslc.calibration.statistics import InputStatistics
from sslc.calibration.windows import Calibration, calibration_windows, load_calibration
from sslc.compression.inputs import DenseInputs
from sslc.evaluation.salience import entries_needed, needed, pooled, salience, spread
from sslc.methods.sslc import Sslc
from sslc.model.blocks import BlockwiseModel
from sslc.model.opening import open_checkpoint
from tests.reference.compression import keep_top_rows, row_budgets, sslc_warm
from tests.sslc.making import SONNETS
from workloads.support.errors import InputError


def _statistics(norms: torch.Tensor) -> InputStatistics:
    return InputStatistics(norms, torch.zeros_like(norms), torch.zeros_like(norms))


def _case(m: int, n: int, seed: int = 0) -> tuple[torch.Tensor, InputStatistics]:
    generator = torch.Generator().manual_seed(seed)
    norms = torch.exp(0.5 * torch.randn(n, generator=generator))
    return torch.randn(m, n, generator=generator), _statistics(norms)


def test_salience_is_weight_times_input_norm_with_dead_channels_lifted() -> None:
    weight = torch.tensor([[1.0, -2.0, 4.0]])
    found = salience(weight, _statistics(torch.tensor([3.0, 0.0, 3.0])))
    assert found.tolist() == [[3.0, pytest.approx(2 * 2e-6), 12.0]]
    assert weight.tolist() == [[1.0, -2.0, 4.0]]


# 5 + 3 of 10 are just 80%; of the squares, 25 + 9 of 36 are 94% and 25 alone 69%.
def test_needed_exact_boundary_is_met() -> None:
    before = torch.tensor([[1.0, 5.0], [3.0, 1.0]])
    plain, squared = needed(before, before, low_rank=0.0, powers=(1, 2))
    assert (plain.pruning, squared.pruning) == (0.5, 0.5)
    assert plain.sparse == plain.pruning
    assert squared.sparse == squared.pruning


# 20% of 20 is 4. Of 3, 3, 1, 1, 0, 0, 0, 0 the last six sum to 2; with one 3 it would be 5.
def test_needed_low_rank_part_leaves_less_to_keep() -> None:
    before = torch.tensor([[4.0, 4.0, 3.0, 3.0], [2.0, 2.0, 1.0, 1.0]])
    after = torch.tensor([[3.0, 0.0, 3.0, 0.0], [1.0, 0.0, 1.0, 0.0]])
    (found,) = needed(before, after, low_rank=0.25, powers=(1,))
    assert found.pruning == 5 / 8  # 4 + 4 + 3 + 3 + 2 = 16 of 20
    assert found.sparse == 2 / 8
    assert found.synergistic == 0.5


def test_needed_low_rank_part_alone_is_enough() -> None:
    (found,) = needed(torch.ones(2, 5), torch.full((2, 5), 0.19), low_rank=0.3, powers=(1,))
    assert (found.sparse, found.synergistic) == (0.0, 0.3)


def test_needed_zero_matrix_needs_nothing() -> None:
    (found,) = needed(torch.zeros(3, 4), torch.zeros(3, 4), low_rank=0.1, powers=(1,))
    assert (found.pruning, found.sparse) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("values", "max_lost", "kept"),
    [
        ([1, 2, 3, 4], 0, 4),
        ([1, 2, 3, 4], 2.9, 3),
        ([1, 2, 3, 4], 3, 2),
        ([1, 2, 3, 4], 10, 0),
        ([0, 0, 4], 0, 1),
        ([0.1, 0.2, 0.7], 0.3, 1),
    ],
)
def test_entries_needed_by_hand(values: list[float], max_lost: float, kept: int) -> None:
    assert entries_needed(np.array(values, dtype=np.float64), max_lost) == kept


@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 999), st.sampled_from([1, 2]))
def test_needed_equals_taking_entries_one_by_one(m: int, n: int, seed: int, power: int) -> None:
    random = np.random.default_rng(seed)
    before, after = random.integers(0, 9, (2, m, n)).astype(np.float32)
    (found,) = needed(
        torch.from_numpy(before), torch.from_numpy(after), low_rank=0.0, powers=(power,)
    )

    def slowly(matrix: np.ndarray) -> int:
        left = sorted((int(value) ** power for value in matrix.flat), reverse=True)
        whole, taken = sum(int(value) ** power for value in before.flat), 0
        while 10 * sum(left) > 2 * whole:
            left.pop(0)
            taken += 1
        return taken

    assert (found.pruning, found.sparse) == tuple(
        slowly(matrix) / (m * n) for matrix in (before, after)
    )


def test_spread_by_hand() -> None:
    matrix = torch.ones(10, 20)
    matrix[0, 0], matrix[3, 0] = 41.0, 21.0
    found = spread(matrix)  # 198 ones; columns: one of 70, nineteen of 10
    assert found.total == 260
    assert found.top_share == pytest.approx(62 / 260)  # 1% of 200 entries are two
    assert found.column_variation == pytest.approx(np.std([70, *[10] * 19]) / 13)


def test_spread_few_entries_count_one_and_zeros_have_none() -> None:
    assert spread(torch.tensor([[1.0, 3.0]])).top_share == 0.75
    empty = spread(torch.zeros(2, 3))
    assert (empty.total, empty.top_share, empty.column_variation) == (0, 0, 0)


@pytest.mark.parametrize(("m", "n", "most"), [(7, 5, 3), (4, 9, 4), (3, 2, 5), (8, 8, 1)])
def test_pooled_cells_are_means_of_their_entries(m: int, n: int, most: int) -> None:
    matrix = torch.rand(m, n, generator=torch.Generator().manual_seed(0))
    high, wide = -(-m // most), -(-n // most)
    expected = [
        [float(matrix[i : i + high, j : j + wide].mean()) for j in range(0, n, wide)]
        for i in range(0, m, high)
    ]
    found = pooled(matrix, most)
    assert max(found.shape) <= most
    assert torch.allclose(found, torch.tensor(expected))


def _direct(method: Sslc, weight: torch.Tensor, statistics: InputStatistics) -> float:
    """The loss of what ``compress`` gives, in float64."""
    made, scale = method.compress(weight, statistics), statistics.scale().double()
    lost = weight.double() - made.sparse.double() - made.u.double() @ made.v.double().T
    return float(torch.linalg.norm(lost * scale) / torch.linalg.norm(weight.double() * scale))


@pytest.mark.parametrize(
    "settings",
    [{}, {"preserved": "zero"}, {"group": "matrix"}, {"low_rank": "exact"}, {"score": "ria"}],
    ids=str,
)
def test_losses_equal_those_of_compress_with_so_many_iterations(settings: dict[str, str]) -> None:
    weight, statistics = _case(48, 64)
    losses = Sslc(iterations=7, **settings).losses(weight, statistics)  # type: ignore[arg-type]
    direct = [
        _direct(Sslc(iterations=count, **settings), weight, statistics)  # type: ignore[arg-type]
        for count in range(1, 8)
    ]
    assert losses == pytest.approx(direct, rel=1e-5)


def test_losses_equal_the_float64_reference() -> None:
    weight, statistics = _case(24, 40)
    method = Sslc(iterations=3, rank_share=0.2)
    rank, nonzeros = method.budget(24, 40)
    scaled = (weight * statistics.norms).double().numpy()
    always = keep_top_rows(np.abs(scaled), row_budgets(9, 24))
    start = torch.randn(40, rank, generator=torch.Generator().manual_seed(0)).double().numpy()
    expected = []
    for count in (1, 2, 3):
        low, kept = sslc_warm(scaled, always, start, nonzeros, count)
        expected.append(np.linalg.norm((scaled - low) * ~kept) / np.linalg.norm(scaled))
    assert method.losses(weight, statistics) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_losses_never_rise_and_leave_the_weight(seed: int) -> None:
    weight, statistics = _case(64, 96, seed)
    before = weight.clone()
    losses = Sslc().losses(weight, statistics)
    assert len(losses) == 40
    assert all(b <= a * (1 + 1e-6) for a, b in itertools.pairwise(losses))
    assert losses[-1] < 0.9 * losses[0]
    assert torch.equal(weight, before)


def test_losses_stop_early_by_the_tolerance() -> None:
    weight, statistics = _case(48, 64)
    stopped = Sslc(tolerance=0.01).losses(weight, statistics)
    assert stopped == Sslc().losses(weight, statistics)[: len(stopped)]
    falls = [1 - b / a for a, b in itertools.pairwise(stopped)]
    assert falls[-1] < 0.01 <= min(falls[:-1])


def test_losses_without_rank_are_one_and_zero_weight_gives_zeros() -> None:
    weight, statistics = _case(16, 20)
    method = Sslc(rank=0)
    assert method.losses(weight, statistics) == pytest.approx([_direct(method, weight, statistics)])
    assert set(Sslc(rank=2, iterations=3).losses(weight * 0, statistics)) == {0.0}


CALIBRATION = Calibration(str(SONNETS), windows=2, window_tokens=24)


def _windows(model: Path) -> torch.Tensor:
    checkpoint = open_checkpoint(str(model))
    text = load_calibration(checkpoint, CALIBRATION)
    return calibration_windows(checkpoint, text, calibration=CALIBRATION)


def test_dense_inputs_equal_those_of_the_whole_model(llama: Path) -> None:
    from transformers import AutoModelForCausalLM

    windows = _windows(llama)
    model = AutoModelForCausalLM.from_pretrained(llama, dtype=torch.float32)
    seen: dict[str, torch.Tensor] = {}
    block = model.model.layers[2]
    for name in ("self_attn.v_proj", "mlp.down_proj"):
        block.get_submodule(name).register_forward_pre_hook(
            lambda _, inputs, name=name: seen.__setitem__(name, inputs[0])
        )
    with torch.inference_mode():
        model(windows)
    passed: list[int] = []
    found = DenseInputs(open_checkpoint(str(llama)), lambda: windows, passed=passed.append).at(2)
    assert len(found) == 7
    assert passed == [1, 2]
    for name, inputs in seen.items():
        weight, statistics = found[name]
        assert torch.equal(weight, block.get_submodule(name).weight)
        norms = inputs.flatten(0, 1).double().norm(dim=0)
        assert torch.allclose(statistics.norms, norms.float(), rtol=1e-4)


def test_dense_inputs_read_nothing_before_they_are_asked(llama: Path) -> None:
    def refuse() -> torch.Tensor:
        raise AssertionError("windows were made")

    inputs = DenseInputs(open_checkpoint(str(llama)), refuse)
    with pytest.raises(AssertionError, match="windows were made"):
        inputs.at(0)


def test_dense_inputs_same_block_twice_is_the_same_and_going_back_is_refused(llama: Path) -> None:
    inputs = DenseInputs(open_checkpoint(str(llama)), lambda: _windows(llama))
    first, second = (inputs.at(1)["mlp.up_proj"][1].norms for _ in range(2))
    assert torch.equal(first, second)
    with pytest.raises(ValueError, match="block 0 is asked for after block 1"):
        inputs.at(0)


def test_dense_inputs_not_finite_names_block_and_projection(
    llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = BlockwiseModel.run

    def overflow(self, index, block, hidden, *, keep=True):  # type: ignore[no-untyped-def]
        run(self, index, block, hidden, keep=keep)
        if keep:
            with torch.inference_mode():
                hidden[0, 0, 0] = torch.inf

    monkeypatch.setattr(BlockwiseModel, "run", overflow)
    inputs = DenseInputs(open_checkpoint(str(llama)), lambda: _windows(llama))
    with pytest.raises(InputError, match=r"the input of block 1, self_attn\.q_proj is not"):
        inputs.at(1)
