"""The page about few bits reads a block with public libraries alone, and gets what we read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sslc
from docs.programs.pages import ROOT, items_of
from sslc.model.weights import dense_weight

SHAPE = 'name, m, n, rank, bits, group = "self_attn.q_proj", 576, 576, 18, 6, 128'


def test_bits_page_reads_a_projection_as_we_do(
    llama: Path, short_texts: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bits = {"value_bits": 6, "factor_bits": 8}
    artifact = sslc.compress(
        llama,
        tmp_path / "a",
        settings=bits,
        calibration=str(short_texts[0]),
        windows=2,
        window_tokens=32,
        workers=1,
    )
    record = next(r for r in artifact.blocks[0].projections if r.name == "self_attn.q_proj")
    page = (ROOT / "docs" / "bits.md").read_text(encoding="utf-8")
    code = next(item.text for item in items_of(page) if item.kind == "python")
    assert SHAPE in code
    ours = f"name, m, n, rank, bits, group = {record.name!r}, {record.m}, {record.n}, {record.rank}"
    names: dict[str, Any] = {}
    monkeypatch.chdir(artifact.path)
    exec(compile(code.replace(SHAPE, f"{ours}, 6, 128"), "bits.md", "exec"), names)
    expected = dense_weight(artifact.read(0, record.name)).numpy()
    np.testing.assert_allclose(names["w"], expected, atol=1e-6)
