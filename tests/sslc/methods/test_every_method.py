"""Every registered method through the block loop: what it gives is what the artifact holds."""

from pathlib import Path
from typing import Any

import pytest
import torch

from sslc.calibration.windows import Calibration
from sslc.compression.block_loop import compress_checkpoint
from sslc.compression.output import Output
from sslc.methods.registry import METHODS, QUANTIZERS, load_method
from sslc.model.opening import open_checkpoint
from sslc.model.weights import dense_weight
from tests.sslc.making import SONNETS
from tests.sslc.problems import output_error, small_problem
from workloads.artifact.read import open_artifact

FEWER = {"hassle-free-alps": {"alternations": 2}, "3basil": {"iterations": 100}}
"""Settings of methods that take long, for what does not depend on them."""


def test_method_knows_the_name_it_is_registered_under() -> None:
    methods = [load_method(name, {}) for name in METHODS]
    assert [method.name for method in methods] == list(METHODS)
    assert len({method.title for method in methods}) == len(METHODS)
    assert all(method.working_copies.weights > 1 for method in methods)


@pytest.mark.parametrize("name", sorted(METHODS.keys() - QUANTIZERS.keys()))
def test_method_artifact_round_trip(
    name: str, llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = load_method(name, FEWER.get(name, {}))
    run, given = type(method).compress, []

    def spy(self: Any, weight: torch.Tensor, statistics: Any) -> Any:
        result = run(self, weight, statistics)
        given.append((result.sparse + result.u @ result.v.T, int(result.mask.sum())))
        return result

    monkeypatch.setattr(type(method), "compress", spy)
    cut = Calibration(str(SONNETS), windows=4, window_tokens=40)
    compress_checkpoint(
        open_checkpoint(str(llama)),
        method,
        calibration=cut,
        output=Output(tmp_path / "a"),
        workers=1,
    )
    artifact = open_artifact(tmp_path / "a")
    artifact.verify()
    records = [
        (i, record) for i, block in enumerate(artifact.blocks) for record in block.projections
    ]
    assert len(records) == 21
    for index, record in records:
        stored = dense_weight(artifact.read(index, record.name))
        same = [
            nonzeros == record.nonzeros
            and whole.shape == stored.shape
            and torch.allclose(whole, stored, atol=1e-5)
            for whole, nonzeros in given
        ]
        assert sum(same) == 1, (index, record.name)
        assert method.budget(record.m, record.n) == (record.rank, record.nonzeros)
        spare = record.m * record.n // 2 - record.nonzeros - record.factor_parameters
        assert 0 <= spare < (record.m + record.n if name in ("svd", "svd-llm") else 1)


@pytest.mark.parametrize("better", ["sparsegpt", "alps", "ria"])
def test_output_error_order_of_pruning_methods(better: str) -> None:
    """SparseGPT and ALPS stay below Wanda, and RIA below magnitude, on correlated inputs."""
    worse = "magnitude" if better == "ria" else "wanda"
    for seed in range(5):
        weight, inputs = small_problem(64, 96, seed)
        assert output_error(better, weight, inputs) < output_error(worse, weight, inputs)
