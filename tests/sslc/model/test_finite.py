"""Numbers that are not finite: named, and never written."""

from pathlib import Path

import pytest
import torch

from sslc.compression.block_loop import compress_checkpoint
from sslc.compression.output import Output
from sslc.evaluation.perplexity import perplexity
from sslc.exporting.dense import export_dense
from sslc.methods.registry import METHODS, load_method
from sslc.model.finite import is_finite, rounded
from sslc.model.opening import open_checkpoint
from tests.sslc.making import CUT, SONNETS, make_artifact
from tests.sslc.model.checkpoints import copied, edit
from workloads.support.errors import InputError

NORM = "model.layers.1.post_attention_layernorm.weight"
HEAD = "lm_head.weight"
EVERYTHING = (HEAD, NORM, "model.norm.weight", "model.embed_tokens.weight")


def _measured(model: Path) -> float:
    return perplexity(
        open_checkpoint(str(model)), str(SONNETS), window_tokens=24, max_tokens=96
    ).perplexity


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_is_finite_one_entry_decides(value: float) -> None:
    tensor = torch.ones(3, 4)
    assert is_finite(tensor)
    assert is_finite(torch.ones(0, 4))
    tensor[2, 1] = value
    assert not is_finite(tensor)


def test_rounded_beyond_the_dtype_is_refused_with_the_name() -> None:
    assert rounded(torch.tensor([65504.0]), "F16", name="w").item() == 65504
    with pytest.raises(InputError, match=r"w reaches 7e\+04, which is not finite in F16"):
        rounded(torch.tensor([1.0, -7e4]), "F16", name="w")
    with pytest.raises(InputError, match="not finite in BF16"):
        rounded(torch.tensor([3.4e38]), "BF16", name="w")


@pytest.mark.parametrize("name", EVERYTHING)
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_that_are_no_numbers_are_named(
    llama: Path, tmp_path: Path, name: str, value: float
) -> None:
    model = copied(llama, tmp_path)
    edit(model, lambda t: t[name].fill_(value))
    with pytest.raises(InputError, match=f"tensor {name} is not finite"):
        _measured(model)
    with pytest.raises(InputError, match=f"tensor {name} is not finite"):
        make_artifact(model, tmp_path / "a", method="wanda")
    assert not (tmp_path / "a").exists()


def test_first_tensor_in_the_order_of_computing_is_named(llama: Path, tmp_path: Path) -> None:
    model = copied(llama, tmp_path)
    edit(model, lambda t: [t[name].fill_(torch.nan) for name in (HEAD, NORM)])
    with pytest.raises(InputError, match=f"tensor {NORM} "):
        _measured(model)


@pytest.mark.parametrize("name", ["model.layers.0.mlp.up_proj.weight", *EVERYTHING])
@pytest.mark.parametrize("scale", [1e30, 3e37])
def test_extreme_weights_give_a_number_or_a_sentence(
    llama: Path, tmp_path: Path, name: str, scale: float
) -> None:
    model = copied(llama, tmp_path)
    edit(model, lambda t: t[name].mul_(scale))
    try:
        assert 0 < _measured(model) < torch.inf
    except InputError as error:
        assert "large" in str(error) or "beyond a double" in str(error)  # noqa: PT017


@pytest.mark.parametrize("method", METHODS)
def test_compress_extreme_weights_by_any_method_is_whole_or_a_sentence(
    llama: Path, tmp_path: Path, method: str
) -> None:
    model = copied(llama, tmp_path)
    edit(model, lambda t: t["model.layers.0.mlp.up_proj.weight"].mul_(1e30))
    try:
        made = make_artifact(model, tmp_path / "a", method=method)
    except InputError as error:
        assert "finite" in str(error) or "large" in str(error)  # noqa: PT017
    else:
        made.verify()


def test_no_infinity_is_written_in_a_narrower_dtype(qwen: Path, tmp_path: Path) -> None:
    """Weights, biases and the rest of an artifact; the tensors of an export."""
    bias = "model.layers.0.self_attn.q_proj.bias"
    for number, name in enumerate((bias, "model.layers.0.mlp.up_proj.weight")):
        model = copied(qwen, tmp_path / str(number))
        edit(model, lambda t, name=name: t[name].fill_(1e6))  # type: ignore[misc]
        with pytest.raises(InputError, match="not finite in F16"):
            compress_checkpoint(
                open_checkpoint(str(model)),
                load_method("magnitude", {}),
                calibration=CUT,
                output=Output(tmp_path / "a", dtype="F16"),
            )
    model = copied(qwen, tmp_path / "norm")
    edit(model, lambda t: t["model.norm.weight"].fill_(1e6))
    made = make_artifact(model, tmp_path / "b", method="wanda")
    with pytest.raises(InputError, match=r"tensor model\.norm\.weight reaches 1e\+06"):
        export_dense(made, tmp_path / "dense", dtype="F16")
    assert not (tmp_path / "dense").exists()
