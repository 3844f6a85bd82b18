"""An artifact on the kernels: logits, tokens and refusals, against S + U Vᵀ in torch."""

from pathlib import Path
from typing import Any

import pytest
import torch

import sslc
from sslc.evaluation.perplexity import evaluation_windows
from sslc.exporting.dense import export_dense
from sslc.model.weights import ArtifactWeights
from sslc.runtime import features
from sslc.runtime.linear import CompressedLinear
from tests.sslc.making import make_artifact
from workloads.artifact.read import Artifact
from workloads.support.errors import InputError
from workloads.texts.windows import load_text

PROMPT = torch.arange(5, 12)[None]
GREEDY = {"max_new_tokens": 24, "do_sample": False, "pad_token_id": 0, "eos_token_id": None}


@pytest.fixture(scope="module")
def with_biases(qwen: Path, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return make_artifact(qwen, tmp_path_factory.mktemp("qwen") / "a")


@pytest.fixture(params=["small_artifact", "with_biases"])
def artifact(request: pytest.FixtureRequest) -> Artifact:
    made: Artifact = request.getfixturevalue(request.param)
    return made


@pytest.mark.parametrize("tokens", [1, 7, 40])
@pytest.mark.parametrize(("dtype", "tolerance"), [("F32", 1e-5), ("BF16", 3e-2)])
def test_load_auto_logits_are_those_of_the_dense_reconstruction(
    artifact: Artifact, tokens: int, dtype: str, tolerance: float, tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM

    export_dense(artifact, tmp_path / "dense")
    dense: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "dense", dtype=torch.float32)
    loaded: Any = sslc.load(artifact, dtype=dtype, backend="auto")
    windows = torch.arange(tokens)[None] + 3
    with torch.no_grad():
        expected = dense(windows).logits
        logits = loaded(windows).logits.float()
    assert (logits - expected).norm() <= tolerance * expected.norm()


def test_load_auto_tokens_in_f32_are_those_of_the_dense_reconstruction(artifact: Artifact) -> None:
    compressed: Any = sslc.load(artifact, backend="auto")
    assert any(isinstance(module, CompressedLinear) for module in compressed.modules())
    assert not [p for p in compressed.parameters() if p.requires_grad]
    dense: Any = sslc.load(artifact)
    expected = dense.generate(PROMPT, **GREEDY)
    assert compressed.generate(PROMPT, **GREEDY).tolist() == expected.tolist()


def test_load_auto_perplexity_is_that_of_the_export(
    artifact: Artifact, short_texts: tuple[Path, Path], tmp_path: Path
) -> None:
    text = str(short_texts[1])
    exported = sslc.evaluate(
        sslc.export(artifact, tmp_path / "dense"), text=text, window_tokens=64, max_tokens=512
    )
    cut = evaluation_windows(
        ArtifactWeights(artifact), load_text(text, "evaluation"), window_tokens=64,
        stride_tokens=64, max_tokens=512,
    )  # fmt: skip
    windows = torch.from_numpy(cut.tokens)
    with torch.no_grad():
        logits = sslc.load(artifact, backend="auto")(windows).logits[:, :-1]
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())
    assert exported.predicted_tokens == windows[:, 1:].numel()
    assert float(loss.exp()) == pytest.approx(exported.perplexity, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"backend": "gpu"}, "unknown backend 'gpu'.*auto.*torch"),
        ({"backend": "cpu", "dtype": "F16"}, "backend 'cpu' takes the dtype F32 or BF16"),
        ({"backend": "auto", "device": "cuda"}, "torch sees no CUDA device here"),
        ({"backend": "cuda"}, "cuda is not available: needs a CUDA device"),
    ],
)
def test_load_what_cannot_run_here_is_refused_in_a_sentence(
    small_artifact: Artifact,
    options: dict[str, Any],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=sentence):
        sslc.load(small_artifact, **options)


def test_load_auto_without_avx2_says_what_is_missing(
    small_artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(features.VARIABLE, "none")
    with pytest.raises(InputError, match="cpu is not available: needs AVX2"):
        sslc.load(small_artifact, backend="auto")
