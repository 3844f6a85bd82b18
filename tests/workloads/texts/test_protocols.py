import pytest

from workloads.support.errors import InputError
from workloads.texts.protocols import PROTOCOLS, fixed, named_by


def test_fixed_fills_what_was_left_open() -> None:
    open_options = dict.fromkeys(("calibration", "windows", "window_tokens", "seed"))
    assert fixed("wanda-2048", open_options) == {
        "calibration": "c4", "windows": 128, "window_tokens": 2048, "seed": 0
    }  # fmt: skip
    assert fixed(None, open_options) == open_options


def test_fixed_accepts_what_agrees_and_refuses_what_contradicts() -> None:
    asked = {"text": None, "window_tokens": 4096, "stride": None, "max_tokens": None}
    cut = fixed("d2prune-4096", asked, evaluation=True)
    assert cut == {"text": "wikitext2", "window_tokens": 4096, "stride": 4096, "max_tokens": 0}
    with pytest.raises(InputError, match=r"--window-tokens 4096 contradicts protocol wanda-2048"):
        fixed("wanda-2048", asked, evaluation=True)
    with pytest.raises(InputError, match="--seed 3 contradicts"):
        fixed("wanda-2048", {"seed": 3})


def test_fixed_unknown_protocol_lists_the_known() -> None:
    with pytest.raises(InputError, match="wanda-2048"):
        fixed("wanda", {})


def test_named_by_whole_text_in_windows_without_overlap() -> None:
    assert named_by("wikitext2:test", 2048, stride_tokens=2048, max_tokens=0) == [
        "wanda-2048", "sparsegpt-2048"
    ]  # fmt: skip
    assert named_by("wikitext2:test", 4096, stride_tokens=4096, max_tokens=0) == ["d2prune-4096"]
    for other in ((2048, 1024, 0), (2048, 2048, 16_384), (512, 512, 0)):
        assert not named_by("wikitext2:test", other[0], stride_tokens=other[1], max_tokens=other[2])
    assert len(PROTOCOLS) == 3
