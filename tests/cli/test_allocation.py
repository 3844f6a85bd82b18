"""``sslc compress --allocation`` as a user types it."""

import math
from pathlib import Path

import pytest

from tests.cli.conftest import SMALL_CUT, Run, document, results_of
from tests.sslc.making import tree_bytes
from workloads.artifact.read import Artifact, open_artifact

OWL = ("--method", "wanda", "--allocation", "owl", "--allocation-set", "width=0.2", *SMALL_CUT)

HARDWARE = ("--method", "wanda", "--allocation", "hardware",
            "--allocation-set", "fractions=[0.25,0.5,0.75]")  # fmt: skip
ON_ARRAY = ("--accelerator", "array-64x64")


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
        (HARDWARE, "needs cost curves"),
        ((*HARDWARE, "--allocation-set", "cost=seconds", *ON_ARRAY), "seconds"),
        ((*HARDWARE, "--allocation-set", "cost=parameters", *ON_ARRAY), "leave --accelerator out"),
        ((*HARDWARE, "--allocation-set", "budget=5", *ON_ARRAY), "a budget of 5 cycles is below"),
        ((*HARDWARE, "--tokens", "4"), "--tokens says how --accelerator"),
        ((*HARDWARE, *ON_ARRAY, "--cost-curves", "c.json"), "give one"),
        ((*HARDWARE, "--cost-curves", "none.json"), "none.json"),
        ((*HARDWARE, "--accelerator", "vitcot"), "vitcod"),
        ((*HARDWARE, "--set", "group=2:4", *ON_ARRAY), "fixes what S keeps"),
        (ON_ARRAY, "is for --allocation hardware, not for uniform"),
        ((*ON_ARRAY, "--dry-run"), "--accelerator is for an allocation"),
        (("--save-overrides", "o.toml"), "decides nothing"),
        (("--allocation", "owl", "--save-overrides", "no/where/o.toml"), "a folder that exists"),
        (("--allocation", "owl", "--cost-curves", "c.json"), "for the allocation hardware"),
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


def projection_shares(artifact: Artifact) -> dict[str, float]:
    return {
        f"layers.{index}.{record.name}": record.kept_fraction
        for index, block in enumerate(artifact.blocks)
        for record in block.projections
    }


def cycles_of(sslc: Run, artifact: Path) -> float:
    """Of the finished masks, counted by the simulator."""
    model = ("--cycle-model", "compiled")
    (result,) = results_of(sslc("simulate", artifact, *ON_ARRAY, *model, "--json"))
    return math.fsum(p["sum_cycles"] for block in result["blocks"] for p in block["projections"])


def test_hardware_keeps_the_cycles_of_uniform_and_its_file_gives_the_same_artifact(
    sslc: Run, llama: Path, short_texts: tuple[Path, Path], tmp_path: Path
) -> None:
    cut = ("--method", "wanda", "--calibration", short_texts[0], *SMALL_CUT)
    saved, curves = tmp_path / "o.toml", tmp_path / "c.json"
    runs = {
        "uniform": (),
        "hardware": (*HARDWARE, *ON_ARRAY, "--save-overrides", saved),
        "again": ("--overrides", saved),
        "file": (*HARDWARE, "--cost-curves", curves),
    }
    shares = HARDWARE[4:]
    done = sslc("costs", llama, "--out", curves, "--method", "wanda", *ON_ARRAY, *shares, "--json")
    assert len(document(done)["tables"][0]["rows"]) == 7 * 4
    for name, arguments in runs.items():
        done = sslc("compress", llama, "--out", tmp_path / name, *cut, *arguments)
        assert done.returncode == 0, done.stderr
        assert ("of uniform's" in done.stderr) == (name in ("hardware", "file"))
    trees = {name: tree_bytes(tmp_path / name) for name in runs}
    assert trees["hardware"] == trees["again"] == trees["file"] != trees["uniform"]
    found = projection_shares(open_artifact(tmp_path / "hardware"))
    assert {*found.values()} == {0.25, 0.5, 0.75}
    assert cycles_of(sslc, tmp_path / "hardware") <= 1.02 * cycles_of(sslc, tmp_path / "uniform")


def test_hardware_of_parameters_needs_no_machine_and_leaves_to_the_user_what_overrides_say(
    sslc: Run, llama: Path, short_texts: tuple[Path, Path], tmp_path: Path
) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('["layers.1.*"]\nkept_fraction = 0.9\n')
    done = sslc(
        "compress", llama, "--out", tmp_path / "a", *HARDWARE, "--allocation-set",
        "cost=parameters", "--overrides", mine, "--calibration", short_texts[0], *SMALL_CUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    artifact = open_artifact(tmp_path / "a")
    found = projection_shares(artifact)
    assert {share for name, share in found.items() if name.startswith("layers.1.")} == {0.9}
    whole = kept_by_block(artifact)
    assert whole[0] + whole[2] <= 1.0
    assert whole[0] + whole[2] == pytest.approx(1.0, abs=0.05)
