"""The real model that ships as a package: our reading of its GGUF against transformers' own."""

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from sslc.evaluation.perplexity import perplexity
from sslc.model.config import tokenize
from sslc.model.opening import BUNDLED, open_checkpoint
from workloads.texts.windows import load_text


def test_bundled_model_perplexity_equals_transformers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two held-out windows; a language model that was read wrongly would not stay under 60."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    checkpoint = open_checkpoint("smollm2-135m")
    found = perplexity(checkpoint, window_tokens=128, max_tokens=256)

    package, name = BUNDLED["smollm2-135m"]
    file = Path(str(find_spec(package).origin)).with_name(name)  # type: ignore[union-attr]
    model = AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, dtype=torch.float32
    )
    tokens = tokenize(checkpoint.directory, load_text("embedded", "evaluation").content)
    windows = torch.from_numpy(tokens[:256].reshape(2, 1, 128))
    with torch.no_grad():
        losses = [float(model(window, labels=window).loss) for window in windows]
    assert found.negative_log_likelihood == pytest.approx(sum(losses) / 2, rel=1e-5)
    assert found.perplexity < 60
    again = open_checkpoint("smollm2-135m")
    assert again.directory == checkpoint.directory
    assert [path.name for path in (tmp_path / "sslc").iterdir()] == [checkpoint.directory.name]
