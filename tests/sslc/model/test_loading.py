from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

import sslc
from sslc.calibration.windows import Calibration
from sslc.compression.block_loop import compress_checkpoint
from sslc.compression.output import Output
from sslc.exporting.dense import export_dense
from sslc.methods.registry import load_method
from sslc.model.loading import SparseLowRankLinear
from sslc.model.opening import open_checkpoint
from tests.sslc.making import SONNETS


@pytest.mark.parametrize("family", ["llama", "qwen"])
def test_load_logits_equal_the_dense_export(
    family: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(family)
    cut = Calibration(str(SONNETS), windows=2, window_tokens=32)
    method = load_method("sslc", {})
    artifact = compress_checkpoint(
        open_checkpoint(str(path)), method, calibration=cut, output=Output(tmp_path / "a")
    )
    export_dense(artifact, tmp_path / "dense")
    model: Any = sslc.load(tmp_path / "a")
    dense = AutoModelForCausalLM.from_pretrained(tmp_path / "dense")
    tokens = torch.arange(40).reshape(2, 20)
    with torch.no_grad():
        assert torch.allclose(model(tokens).logits, dense(tokens).logits, atol=1e-4)
    assert not any(parameter.is_meta for parameter in model.parameters())
    factors = [m for m in model.modules() if isinstance(m, SparseLowRankLinear)]
    assert len(factors) == 21
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    records = [record for block in artifact.blocks for record in block.projections]
    assert trained == sum(record.factor_parameters for record in records)
    generated = model.generate(tokens[:1], max_new_tokens=3, do_sample=False, pad_token_id=0)
    assert generated.shape[1] <= 23
