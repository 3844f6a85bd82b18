"""The windows that calibrate: by seed, and nothing but text of the file."""

from pathlib import Path

import pytest
import torch

from sslc.calibration.windows import Calibration, calibration_windows
from sslc.model.config import tokenize
from sslc.model.opening import open_checkpoint
from tests.sslc.making import SONNETS
from workloads.support.errors import InputError
from workloads.texts.windows import load_text


def test_calibration_windows_are_pieces_of_the_text_by_seed(llama: Path) -> None:
    checkpoint, text = open_checkpoint(str(llama)), load_text(str(SONNETS), "calibration")
    made = [
        calibration_windows(checkpoint, text, calibration=Calibration("", 5, 24, seed))
        for seed in (0, 0, 1)
    ]
    assert made[0].shape == (5, 24)
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])
    tokens = torch.from_numpy(tokenize(llama, text.content)).unfold(0, 24, 1)
    for window in made[0]:
        assert (tokens == window).all(dim=1).any()


@pytest.mark.parametrize("wrong", [{"windows": 0}, {"window_tokens": 1}, {"seed": -1}])
def test_calibration_out_of_range_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match="at least 1 window of at least 2 tokens"):
        Calibration(**wrong)  # type: ignore[arg-type]
