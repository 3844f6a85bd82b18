"""The windows that calibrate: by seed, and nothing but text of the file."""

from pathlib import Path

import pytest
import torch

from sslc.calibration.generated import unwritten_batches
from sslc.calibration.windows import Calibration, calibration_windows, load_calibration
from sslc.model.checkpoint import Checkpoint
from sslc.model.config import tokenize
from sslc.model.opening import open_checkpoint
from tests.sslc.making import SONNETS
from workloads.support.errors import InputError
from workloads.texts.windows import load_text


def _windows(checkpoint: Checkpoint, calibration: Calibration) -> torch.Tensor:
    text = load_calibration(checkpoint, calibration)
    return calibration_windows(checkpoint, text, calibration=calibration)


def test_calibration_windows_are_pieces_of_the_text_by_seed(llama: Path) -> None:
    checkpoint, text = open_checkpoint(str(llama)), load_text(str(SONNETS), "calibration")
    made = [_windows(checkpoint, Calibration(str(SONNETS), 5, 24, seed)) for seed in (0, 0, 1)]
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


@pytest.mark.parametrize(
    ("source", "windows", "counts"),
    [
        ("embedded", 16, {"embedded": 16}),
        ("self", 3, {"self": 3}),
        ("embedded:8,self:8", 16, {"embedded": 8, "self": 8}),
        ("embedded:8,self:8", 64, {"embedded": 32, "self": 32}),
        ("a:1,b:1,c:1", 4, {"a": 2, "b": 1, "c": 1}),
        ("a:1,b:2", 4, {"a": 1, "b": 3}),
        ("a:5,b:1", 2, {"a": 2}),
        ("halves:x.txt:1,self:3", 4, {"halves:x.txt": 1, "self": 3}),
        ("a,b.txt", 2, {"a,b.txt": 2}),
    ],
)
def test_calibration_windows_go_to_sources_by_share(
    source: str, windows: int, counts: dict[str, int]
) -> None:
    """Largest remainders: of 4 windows at shares 1 and 2 the rests are 1/3 and 2/3."""
    assert Calibration(source, windows).counts == counts


@pytest.mark.parametrize(
    ("source", "message"),
    [("embedded:8,self", "give every source a share"), ("self:1,self:2", "names a source twice")],
)
def test_calibration_shares_that_do_not_add_up_are_refused(source: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Calibration(source).counts  # noqa: B018


def test_calibration_file_whose_name_looks_like_a_share_is_one_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "poem:8").write_text("Shall I compare thee")
    assert Calibration("poem:8", 4).counts == {"poem:8": 4}


def test_mixed_windows_are_those_of_each_source(llama: Path, tmp_path: Path) -> None:
    """In order, each as it would be alone with the same seed; the hash tells the mixtures apart."""
    other = tmp_path / "other.txt"
    other.write_text("Once more unto the breach, dear friends, once more. " * 20)
    checkpoint = open_checkpoint(str(llama))
    mixed = Calibration(f"{SONNETS}:1,{other}:2", 6, 20, 3)
    made = _windows(checkpoint, mixed)
    assert torch.equal(made[:2], _windows(checkpoint, Calibration(str(SONNETS), 2, 20, 3)))
    assert torch.equal(made[2:], _windows(checkpoint, Calibration(str(other), 4, 20, 3)))
    text = load_calibration(checkpoint, mixed)
    assert text.source == "2 sonnets.txt + 4 other.txt"
    assert text.sha256 != load_calibration(checkpoint, Calibration(mixed.source, 3, 20)).sha256


def test_what_the_model_writes_is_its_own_seeded_cached_and_free_of_control_tokens(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    checkpoint = open_checkpoint(str(llama))
    assert unwritten_batches(checkpoint, count=18, length=12, seed=0) == 2
    first = _windows(checkpoint, Calibration("self", 18, 12))
    assert unwritten_batches(checkpoint, count=18, length=12, seed=0) == 0
    assert unwritten_batches(checkpoint, count=33, length=12, seed=0) == 1
    assert first.shape == (18, 12)
    assert len({tuple(window.tolist()) for window in first}) == 18
    entries = sorted(path.name for path in (tmp_path / "sslc").iterdir())
    assert [name.rpartition("-")[2] for name in entries] == ["0", "1"]
    assert all(checkpoint.sha256()[:24] in name for name in entries)
    with monkeypatch.context() as patch:
        patch.setattr("sslc.calibration.generated._sample", None)  # the cache is enough
        assert torch.equal(_windows(checkpoint, Calibration("self", 3, 12)), first[:3])
    assert not torch.equal(_windows(checkpoint, Calibration("self", 3, 12, 1)), first[:3])


def test_what_the_model_writes_starts_and_goes_on_by_its_own_probabilities(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logits that know one way only: token t is followed by t + 1, whatever is suppressed."""
    from transformers import LlamaForCausalLM

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    original = LlamaForCausalLM.forward

    def counting(self: LlamaForCausalLM, *arguments: object, **named: object) -> object:
        output = original(self, *arguments, **named)
        output.logits = torch.full_like(output.logits, -1e4)
        following = named["input_ids"][:, -1:] + 1  # type: ignore[index]
        output.logits[:, -1:].scatter_(2, following[..., None], 0.0)
        return output

    monkeypatch.setattr(LlamaForCausalLM, "forward", counting)
    made = _windows(open_checkpoint(str(llama)), Calibration("self", 2, 9))
    assert made.tolist() == [list(range(1, 10))] * 2
