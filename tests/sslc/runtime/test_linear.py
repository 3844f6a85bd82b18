"""The linear layer and its backends: dtype, shape, many tokens, and transformers' generation."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sslc.runtime import backends, cpu_operator, features
from sslc.runtime.backends import Projection, choose_backend
from sslc.runtime.bitmap import BF16, FP32, INT8, VALUE_TYPES, ValueType
from sslc.runtime.linear import CompressedLinear
from tests.sslc.runtime.cases import TOLERANCE, Case, dense_sparse_part, make_case, worst_error
from workloads.support.errors import InputError

EVERY_LEVEL = pytest.mark.usefixtures("level")
KINDS = pytest.mark.parametrize("kind", [BF16, FP32, INT8], ids=lambda kind: kind.name)


def _projection(case: Case) -> Projection:
    s = case.sparse
    return Projection(s.mask, s.values, s.columns, case.u, case.v, case.bias, s.scales)


def _dense_weight(case: Case) -> NDArray[np.float64]:
    return dense_sparse_part(case) + case.u.astype(np.float64) @ case.v.astype(np.float64).T


@EVERY_LEVEL
@KINDS
def test_linear_few_tokens_is_the_kernel_in_any_leading_shape(kind: ValueType) -> None:
    case = make_case(10, 70, kind=kind, rank=2)
    x = torch.randn(2, 3, 70)
    y = CompressedLinear(_projection(case))(x)
    assert y.shape == (2, 3, 10)
    assert worst_error(case, x.view(6, 70).numpy(), y.view(6, 10).numpy()) <= TOLERANCE


@EVERY_LEVEL
@KINDS
@pytest.mark.parametrize("panel_bytes", [1, 8 << 20])
def test_linear_many_tokens_is_the_dense_product(
    kind: ValueType, panel_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu_operator, "PANEL_BYTES", panel_bytes)
    case = make_case(10, 70, kind=kind, rank=2)
    x = torch.randn(20, 70)
    expected = x.double() @ torch.from_numpy(_dense_weight(case)).T + torch.from_numpy(case.bias)
    torch.testing.assert_close(
        CompressedLinear(_projection(case))(x).double(), expected, rtol=1e-4, atol=1e-4
    )


@EVERY_LEVEL
@pytest.mark.parametrize("tokens", [1, 20])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_linear_result_has_the_dtype_of_x(tokens: int, dtype: torch.dtype) -> None:
    case = make_case(10, 70, kind=BF16, rank=2)
    x = torch.randn(tokens, 70).to(dtype)
    y = CompressedLinear(_projection(case))(x)
    assert y.dtype == dtype
    expected = x.double() @ torch.from_numpy(_dense_weight(case)).T + torch.from_numpy(case.bias)
    torch.testing.assert_close(y.double(), expected, rtol=3e-2, atol=1e-1)


@EVERY_LEVEL
def test_linear_no_tokens_gives_no_rows() -> None:
    layer = CompressedLinear(_projection(make_case(4, 9, kind=FP32)))
    assert layer(torch.zeros(2, 0, 9)).shape == (2, 0, 4)


@KINDS
def test_linear_keeps_no_dense_copy(kind: ValueType) -> None:
    case = make_case(300, 1280, kind=kind, kept=0.3)
    layer = CompressedLinear(_projection(case))
    assert not list(layer.parameters())
    assert not list(layer.buffers())
    dense_bytes = 300 * 1280 * VALUE_TYPES[kind.name].bytes
    assert layer.operator.weight_bytes < 0.6 * dense_bytes


def test_extra_bytes_is_bounded_by_the_panel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_operator, "PANEL_BYTES", 30_000)
    layer = CompressedLinear(_projection(make_case(300, 1280, kind=FP32)))
    # 30,000 bytes hold one group of three rows of 5,120 bytes; as much again for a conversion
    assert layer.operator.extra_bytes == 2 * 3 * 5120 + 3 * 40


def test_linear_values_of_other_types_are_stored_as_bf16() -> None:
    values = np.array([1.0], np.float16)
    layer = CompressedLinear(Projection(np.array([[1]], np.uint8), values, 1))
    assert isinstance(layer.operator, cpu_operator.CpuOperator)
    assert layer.operator.matrix.kind is BF16
    assert values.astype(ml_dtypes.bfloat16) == layer.operator.matrix.stream[96:98].view(
        ml_dtypes.bfloat16
    )


def test_choose_backend_hidden_avx2_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(features.VARIABLE, "none")
    with pytest.raises(features.NotAvailableError, match="cpu is not available: needs AVX2"):
        choose_backend("auto", device="cpu")
    with pytest.raises(features.NotAvailableError, match="no backend runs on tpu"):
        choose_backend("auto", device="tpu")


def test_choose_backend_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(InputError, match=r"unknown backend 'gpu'.*cpu"):
        choose_backend("gpu", device="cpu")


@pytest.mark.parametrize("name", backends.BACKENDS)
def test_load_backend_gives_the_backend_of_that_name(name: str) -> None:
    assert backends.load_backend(name).name == name


def test_linear_in_generation_gives_the_tokens_of_the_dense_model() -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=97,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.2,
    )
    model: Any = LlamaForCausalLM(config)
    model.eval()
    layers: list[tuple[str, CompressedLinear]] = []
    for name, layer in list(model.model.layers.named_modules()):
        if isinstance(layer, torch.nn.Linear):
            case = make_case(*layer.weight.shape, kind=FP32, rank=2, seed=len(layers))
            layer.weight.data = torch.from_numpy(_dense_weight(case) / 8).float()
            values = case.sparse.values / np.float32(8)
            u = case.u / np.float32(8)
            projection = Projection(case.sparse.mask, values, layer.in_features, u, case.v)
            layers.append((name, CompressedLinear(projection)))
    prompt = torch.arange(20)[None] + 3
    options = {"max_new_tokens": 12, "do_sample": False, "pad_token_id": 0, "eos_token_id": None}
    dense = model.generate(prompt, **options)
    for name, layer in layers:
        model.model.layers.set_submodule(name, layer)
    assert model.generate(prompt, **options).tolist() == dense.tolist()
