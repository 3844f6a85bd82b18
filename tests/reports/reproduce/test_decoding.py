"""Table 5: rows, ratios by hand, cells that are read again, and the GPU as it was measured."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reports.reproduce.decoding_results import (
    Decoded,
    DecodeIdentity,
    DecodeResult,
    DecoderIdentity,
)
from reports.reproduce.decoding_tables import gpu_table, throughput_table
from reports.reproduce.studies import decoding
from reports.reproduce.studies.decoding import of_a_stack, table5
from reports.reproduce.study import Limits, Study
from sslc.model.opening import open_checkpoint
from sslc.runtime import features
from sslc.runtime.stack import StackShape
from workloads.results.identity import DENSE, Provenance
from workloads.results.table import to_dict
from workloads.support.errors import InputError

SHAPE = StackShape("tiny", blocks=4, hidden=256, inner=512, heads=4, vocabulary=89)
LIMITS = Limits(blocks=1, windows=2, window_tokens=32, new_tokens=4)
MEASURED = Path(__file__).parents[3] / "docs" / "measured" / "nvidia-h100-80gb-hbm3.json"


def _rows(table: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = to_dict(table)["rows"]
    return rows


def test_table5_of_a_model_has_dense_and_compressed_rows_and_says_its_limits(
    two_blocks: Path, short_texts: tuple[Path, Path], tmp_path: Path
) -> None:
    calibration, text = map(str, short_texts)
    study = Study(
        open_checkpoint(str(two_blocks)), tmp_path, LIMITS, texts=(text,), calibration=calibration
    )
    made = table5(study)
    rows = _rows(made.tables[0])
    assert [(row["Weights"], row["Sparsity"], row["Kernel"]) for row in rows] == [
        ("Dense", 0.0, "torch"), ("Dense", 0.0, "own kernel"),
        ("S + U Vᵀ", 0.5, "cpu"), ("S + U Vᵀ", 0.6, "cpu"), ("S + U Vᵀ", 0.7, "cpu"),
    ]  # fmt: skip
    assert [row["Tokens/s, published llama2-7b"] for row in rows] == [
        53.79, 53.79, 72.12, 77.87, 89.87,
    ]  # fmt: skip
    assert rows[2]["Speedup, published"] == pytest.approx(72.12 / 53.79)
    assert all(row["Tokens/s without head"] > row["Tokens/s"] > 0 for row in rows)
    assert "ONLY THE FIRST 1 BLOCKS" in made.tables[0].notes[0]
    assert list((tmp_path / "work").iterdir()) == []
    assert table5(study) == made


def test_stack_within_the_limits_is_measured_once_and_read_again(tmp_path: Path) -> None:
    study = Study(None, tmp_path, LIMITS)
    result = of_a_stack(study, SHAPE)
    assert result.identity.stack is not None
    assert result.identity.stack.blocks == 1
    torch_bytes, own_bytes, *compressed = [one.projection_bytes for one in result.decoders]
    assert torch_bytes == own_bytes == 2 * (4 * 256 * 256 + 3 * 256 * 512)
    assert compressed == sorted(compressed, reverse=True)
    assert compressed[0] < torch_bytes
    assert of_a_stack(study, SHAPE) == result
    other = replace(study, limits=replace(LIMITS, new_tokens=3))
    assert of_a_stack(other, SHAPE).timed_tokens == 2


def test_table5_without_kernels_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(features.VARIABLE, "none")
    with pytest.raises(InputError, match="table5: cpu is not available: needs AVX2"):
        of_a_stack(Study(None, tmp_path, LIMITS), SHAPE)


def _result() -> DecodeResult:
    decoders = (
        DecoderIdentity(DENSE, 0.0, "torch"),
        DecoderIdentity(DENSE, 0.0, "own kernel"),
        DecoderIdentity("sslc", 0.5, "cpu"),
    )
    identity = DecodeIdentity(
        "m", None, decoders, 3, "", 11, "BF16", "a device", "avx2", 1,
        {"torch": "1", "transformers": "2"},
    )  # fmt: skip
    decoded = (
        Decoded(8, (9.0, 9.0, 9.0), (8.0, 8.0, 8.0)),
        Decoded(8, (5.0, 6.0, 7.0), (4.0, 4.0, 6.0)),
        Decoded(5, (4.0, 3.0, 7.0), (2.0, 1.0, 6.0)),
    )
    return DecodeResult(identity, Provenance("0", None, "c", "t"), decoded, 10, 1.5)


def test_speedup_is_the_median_of_ratios_to_the_faster_dense_decoder() -> None:
    result = _result()
    assert result.baseline is result.decoders[1]
    assert result.speedup(result.decoders[2]) == 1.25  # of 5/4, 2, 1
    assert result.speedup_of_blocks(result.decoders[2]) == 2.0  # of 2, 4, 1
    row = _rows(throughput_table(Study(None, Path(), LIMITS), result))[2]
    assert row["Tokens/s"] == 2.5
    assert (row["slowest prompt"], row["fastest prompt"]) == (10 / 7, 10 / 3)
    assert row["Tokens/s without head"] == 5.0


def test_gpu_table_is_what_the_committed_measurement_says() -> None:
    measured = json.loads(MEASURED.read_text())
    rows, expected = _rows(gpu_table()), []
    for blocks in (4, 32):
        for one in measured[f"generation_{blocks}_blocks"]["rows"]:
            rates = (1 / one["seconds_per_token_with_head"], 1 / one["seconds_per_token"])
            speedups = (one["speedup_with_head"], one["speedup"])
            expected.append((blocks, one["weights"], one.get("sparsity", 0.0), *rates, *speedups))
    names = ("Blocks", "Weights", "Sparsity", "Tokens/s", "Tokens/s without head")
    given = [
        (*(row[n] for n in names), row["Speedup"], row["Speedup without head"]) for row in rows
    ]
    assert [row[:3] for row in given] == [row[:3] for row in expected]
    for row, numbers in zip(given, expected, strict=True):
        assert row[3:] == pytest.approx(numbers[3:], rel=1e-5)
    device = measured["device"]
    assert all(device[name] in gpu_table().notes[0] for name in ("name", "driver"))


def test_table5_by_shape_shows_the_gpu_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "of_a_stack", lambda _study: _result())
    study = Study(None, tmp_path, LIMITS)
    study = replace(study, simulation=replace(study.simulation, by_shape=True))
    made = table5(study)
    assert [table.name for table in made.tables] == ["table5", "table5-gpu"]
