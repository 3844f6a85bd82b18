"""Samples behind an estimated time: what a busy machine adds to them is left out."""

import time
from dataclasses import dataclass, field
from typing import Any, cast
from unittest import mock

import torch

from sslc.compression import sampling
from sslc.compression.sampling import sample_seconds, writing_seconds
from sslc.methods.base import Method

WAIT_SECONDS = 0.02


@dataclass
class Waiting:
    """A method that does no work and waits, as on a machine that others use."""

    needs_hessian = False
    needs_gradients = False
    shapes: list[tuple[int, int]] = field(default_factory=list)

    def compress(self, weight: torch.Tensor, statistics: object) -> None:
        del statistics
        self.shapes.append((weight.shape[0], weight.shape[1]))
        time.sleep(WAIT_SECONDS)


def test_sample_seconds_leaves_waiting_out() -> None:
    method = Waiting()
    assert sample_seconds(cast(Method, method), 64, 128) < WAIT_SECONDS
    assert method.shapes == [(64, 128)] * 3


def test_sample_seconds_is_the_least_of_several_processor_times() -> None:
    """Three samples of 5, 2 and 3 seconds, whatever a clock on the wall shows."""
    clock = mock.Mock(process_time=mock.Mock(side_effect=[0, 5, 5, 7, 7, 10]))
    with mock.patch.object(sampling, "time", clock):
        assert sample_seconds(cast(Method, Waiting()), 64, 128) == 2


def test_multiplications_per_second_are_those_of_all_threads() -> None:
    clock = mock.Mock(process_time=mock.Mock(side_effect=[0, 4, 4, 6, 6, 9]))
    threads: Any = mock.Mock(return_value=8)
    with (
        mock.patch.object(sampling, "time", clock),
        mock.patch.object(torch, "get_num_threads", threads),
    ):
        assert sampling._multiplications_per_second() == 8 * 1024**3 / 2


def test_writing_seconds_are_those_of_every_weight_and_a_sort_per_token() -> None:
    """2 s for 2²⁴ weights and 1 s for the sort; the model has twice as many: 5 s a token."""
    linear = mock.Mock(weight=mock.Mock(numel=mock.Mock(return_value=2**24)))
    config = mock.Mock(hidden_size=2**12, vocab_size=2**12)
    model: Any = mock.Mock(blocks=1, linears=mock.Mock(return_value={"a": linear}), config=config)
    times = [0, 2, 2, 4, 4, 6, 0, 1, 1, 2, 2, 3]
    clock = mock.Mock(process_time=mock.Mock(side_effect=times))
    with (
        mock.patch.object(sampling, "time", clock),
        mock.patch.object(torch, "get_num_threads", mock.Mock(return_value=2)),
    ):
        assert writing_seconds(model, batches=3, length=10) == 3 * 10 * (2 * 2 + 1) / 2
    assert writing_seconds(model, batches=0, length=10) == 0
