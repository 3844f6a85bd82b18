from pathlib import Path

import numpy as np
import pytest

from workloads.support.errors import InputError
from workloads.texts.windows import load_text, random_windows, scored_windows


def test_load_text_embedded_halves_share_no_paragraph() -> None:
    halves = [load_text("embedded", part).content for part in ("calibration", "evaluation")]
    paragraphs = [{p.strip() for p in half.split("\n\n")} for half in halves]
    assert not paragraphs[0] & paragraphs[1]
    assert min(map(len, halves)) > 100_000


@pytest.mark.parametrize(
    ("content", "first"),
    [
        ("one\ntwo\nthree\nfour\n", "one\ntwo\nthree\n"),  # the middle lies inside "three"
        ("no line break at all", "no line br"),
        ("a\nb", "a\n"),
    ],
)
def test_load_text_halves_cut_once_behind_the_middle(
    tmp_path: Path, content: str, first: str
) -> None:
    (tmp_path / "own.txt").write_text(content)
    source = f"halves:{tmp_path / 'own.txt'}"
    calibration, evaluation = (load_text(source, part) for part in ("calibration", "evaluation"))
    assert calibration.content == first
    assert calibration.content + evaluation.content == content
    assert (calibration.source, evaluation.source) == ("own.txt:calibration", "own.txt:evaluation")


def test_load_text_halves_of_no_file_names_it() -> None:
    with pytest.raises(InputError, match=r"halves:nowhere\.txt"):
        load_text("halves:nowhere.txt", "evaluation")


def test_random_windows_are_slices_and_seeded() -> None:
    tokens = np.arange(1000)
    windows = random_windows(tokens, 5, 20, seed=3)
    assert (np.diff(windows, axis=1) == 1).all()
    assert (windows == random_windows(tokens, 5, 20, seed=3)).all()
    assert len(set(windows[:, 0].tolist())) > 1


def test_random_windows_text_of_one_window_is_that_window() -> None:
    assert random_windows(np.arange(7), 2, 7, 0).tolist() == [list(range(7))] * 2


def test_scored_windows_without_overlap_are_whole_and_from_the_start() -> None:
    cut = scored_windows(np.arange(100), 8, 8, 30)
    assert cut.tokens.ravel().tolist() == list(range(24))
    assert cut.tokens[cut.counted].tolist() == [n for n in range(24) if n % 8]


@pytest.mark.parametrize("stride", range(1, 8))
def test_scored_windows_with_overlap_count_each_token_once(stride: int) -> None:
    for count in range(8, 27):
        cut = scored_windows(np.arange(99), 8, stride, count)
        assert cut.tokens[cut.counted].tolist() == list(range(1, count))
        assert cut.tokens[:, 0].tolist() == list(range(0, len(cut.tokens) * stride, stride))
        assert (cut.tokens[-1][cut.counted[-1]] == count - 1).any()


def test_scored_windows_max_tokens_of_zero_uses_all() -> None:
    assert scored_windows(np.arange(40), 8, 8, 0).tokens.shape == (5, 8)


@pytest.mark.parametrize(
    "call", [lambda t: random_windows(t, 1, 9, 0), lambda t: scored_windows(t, 9, 9, 99)]
)
def test_windows_text_too_short_raises(call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match="8 tokens"):
        call(np.arange(8))


@pytest.mark.parametrize("content", [None, b"  \n", b"\xff\xfe\x00"])
def test_load_text_unusable_file_raises(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "t.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"t\.txt"):
        load_text(str(path), "evaluation")
