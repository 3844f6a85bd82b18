"""``sslc compress --allocation`` as a user types it."""

from pathlib import Path

import pytest

from tests.cli.conftest import SMALL_CUT, Run, document
from workloads.artifact.read import Artifact, open_artifact

OWL = ("--method", "wanda", "--allocation", "owl", "--allocation-set", "width=0.2", *SMALL_CUT)


def kept_by_block(artifact: Artifact) -> list[float]:
    return [
        sum(r.nonzeros for r in block.projections) / sum(r.m * r.n for r in block.projections)
        for block in artifact.blocks
    ]


def test_owl_keeps_the_whole_and_divides_it_between_blocks(
    sslc: Run, llama: Path, short_texts: tuple[Path, Path], tmp_path: Path
) -> None:
    out, text = tmp_path / "a", ("--calibration", short_texts[0])
    done = sslc("compress", llama, "--out", out, *OWL, *text, "--json")
    assert document(done)["details"]["kept_share"] == pytest.approx(0.5, abs=0.01)
    kept = kept_by_block(open_artifact(out))
    assert max(kept) - min(kept) == pytest.approx(0.2, abs=0.02)
    again = sslc("compress", llama, "--out", out, *OWL, *text, "--resume")
    assert again.returncode == 0, again.stderr


def test_overrides_of_the_user_win(
    sslc: Run, llama: Path, short_texts: tuple[Path, Path], tmp_path: Path
) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('["layers.1.*"]\nkept_fraction = 0.25\n')
    out, text = tmp_path / "a", ("--calibration", short_texts[0])
    done = sslc("compress", llama, "--out", out, *OWL, *text, "--overrides", mine)
    assert done.returncode == 0, done.stderr
    assert kept_by_block(open_artifact(out))[1] == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--allocation", "olw"), "owl"),
        (("--allocation", "owl", "--allocation-set", "width=2"), "width must be from 0 to 1"),
        (("--allocation-set", "width=0.1"), "has no settings"),
        (("--allocation", "owl", "--kept-fraction", "0.97"), "smaller width"),
        (("--allocation", "owl", "--method", "wanda", "--set", "group=2:4"), "2:4 and rank 0 keep"),
        (("--allocation", "owl", "--dry-run"), "--dry-run"),
    ],
)
def test_what_cannot_be_divided_is_refused(
    sslc: Run, llama: Path, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    out = tmp_path / "a"
    done = sslc("compress", llama, "--out", out, *SMALL_CUT, *arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert not out.exists()
