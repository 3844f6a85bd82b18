"""``sslc measure`` as a user types it, on tiny shapes; no time is asserted."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run, document, results_of, stored

QUICK = ("--seconds", 0.0001 * 10, "--threads", 1)


def test_measure_int8_and_bf16_are_side_by_side(sslc: Run, artifact: Path) -> None:
    run = ("measure", artifact, *QUICK, "--tokens", 1, "--dtype", "bf16", "--dtype", "int8")
    [result] = results_of(sslc(*run, "--json"))
    assert result["identity"]["dtypes"] == ["bf16", "int8"]
    assert len(result["projections"]) == 14
    for entry in result["projections"]:
        assert {"own dense", "kernel cpu"} <= {one["backend"] for one in entry["runtimes"]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give one of DIR"),
        (["ARTIFACT", "--shape", "llama2-7b"], "give one of DIR"),
        (["--shape", "nothing"], "nothing"),
        (["--shape", "llama2-7b", "--kept", 0.01], "paid for inside"),
        (["ARTIFACT", "--dtype", "fp8"], "fp8"),
        (["ARTIFACT", "--backend", "MKL"], "MKL"),
    ],
)
def test_measure_bad_arguments_are_one_sentence(
    sslc: Run, artifact: Path, arguments: list[object], message: str
) -> None:
    done = sslc("measure", *(artifact if one == "ARTIFACT" else one for one in arguments))
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_measure_avx2_hidden_says_not_available(
    sslc: Run, artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLC_CPU_FEATURES", "none")
    done = sslc("measure", artifact, *QUICK, "--tokens", 1)
    assert done.returncode == 0, done.stderr
    assert "kernel cpu (needs AVX2)" in done.stdout


def test_report_shows_a_saved_measurement_beside_the_simulated(
    sslc: Run, artifact: Path, tmp_path: Path
) -> None:
    simulated, measured = tmp_path / "simulated", tmp_path / "measured"
    done = sslc("simulate", artifact, "--cycle-model", "roofline", "--save", simulated)
    assert done.returncode == 0, done.stderr
    done = sslc("measure", artifact, *QUICK, "--tokens", 1, "--save", measured)
    assert done.returncode == 0, done.stderr
    [name] = stored(measured)
    run = ("report", simulated, "--measured", measured / "results" / name, "--out", tmp_path / "r")
    tables = {table["name"]: table for table in document(sslc(*run, "--json"))["tables"]}
    basis = {row["Number is"] for row in tables["side-by-side"]["rows"]}
    assert basis == {"analytic (roofline)", "measured (bf16, kernel cpu)"}
    assert list((tmp_path / "r").glob("side-by-side-*.png"))


def test_report_with_nothing_is_one_sentence(sslc: Run) -> None:
    done = sslc("report")
    assert done.returncode == 2
    assert "--measured FILE" in done.stderr
