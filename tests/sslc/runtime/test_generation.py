"""Generation side by side: the tokens of transformers, and layers that agree with torch."""

import pytest
import torch

from sslc.runtime.dense_linear import DenseLinear
from sslc.runtime.generation import generate_side_by_side
from sslc.runtime.linear import CompressedLinear
from sslc.runtime.stack import StackShape, random_projection, random_stack
from sslc.runtime.swap import with_head, with_projections

SHAPE = StackShape("tiny", blocks=2, hidden=64, inner=96, heads=4, vocabulary=89)
PROMPT = torch.arange(3, 10)[None]


def test_side_by_side_gives_every_model_the_tokens_of_generate() -> None:
    models = {seed: random_stack(SHAPE, dtype=torch.float32, seed=seed) for seed in (0, 1)}
    made = generate_side_by_side({str(s): m for s, m in models.items()}, PROMPT, tokens=9)
    for seed, model in models.items():
        options = {"max_new_tokens": 9, "do_sample": False, "eos_token_id": None}
        expected = model.generate(PROMPT, pad_token_id=0, **options)[0, 7:]
        generated = made[str(seed)]
        assert list(generated.tokens) == expected.tolist()
        assert len(generated.block_seconds) == len(generated.head_seconds) == 8
        whole, blocks = generated.tokens_per_second, generated.tokens_per_second_of_blocks
        assert 0 < whole < blocks
        assert 8 / whole - 8 / blocks == pytest.approx(sum(generated.head_seconds))


def test_own_dense_layers_in_f32_give_the_tokens_of_torch() -> None:
    model = random_stack(SHAPE, dtype=torch.float32)
    own = with_head(with_projections(model, DenseLinear), DenseLinear(model.lm_head))
    made = generate_side_by_side({"torch": model, "own": own}, PROMPT, tokens=20)
    assert made["own"].tokens == made["torch"].tokens


@pytest.mark.parametrize("tokens", [1, 16, 17])
@pytest.mark.parametrize(("n", "bias"), [(256, False), (70, True)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-2)])
def test_dense_linear_is_the_linear_layer(
    tokens: int, n: int, bias: bool, dtype: torch.dtype, tolerance: float
) -> None:
    torch.manual_seed(0)
    linear = torch.nn.Linear(n, 11, bias=bias).to(dtype).requires_grad_(False)
    x = torch.randn(2, tokens, n).to(dtype)
    expected = linear(x).float()
    y = DenseLinear(linear)(x)
    assert y.dtype == dtype
    assert (y.float() - expected).norm() <= tolerance * expected.norm()


def test_dense_linear_without_padding_holds_the_weight_once() -> None:
    linear = torch.nn.Linear(256, 11).to(torch.bfloat16).requires_grad_(False)
    before = linear.weight.clone()
    own = DenseLinear(linear)
    assert linear.weight.data_ptr() == own.matrix.rows.ctypes.data
    assert torch.equal(linear.weight, before)


def test_with_projections_shares_all_else_and_leaves_the_model_as_it_is() -> None:
    model = random_stack(SHAPE, dtype=torch.float32)
    other = with_projections(model, DenseLinear)
    assert isinstance(model.model.layers[1].mlp.up_proj, torch.nn.Linear)
    assert isinstance(other.model.layers[1].mlp.up_proj, DenseLinear)
    assert other.model.embed_tokens.weight is model.model.embed_tokens.weight
    assert other.lm_head.weight is model.lm_head.weight
    assert other.model.layers[0].self_attn is not model.model.layers[0].self_attn


@pytest.mark.parametrize("sparsity", [0.5, 0.7])
def test_random_projection_keeps_its_share_factors_included(sparsity: float) -> None:
    linear = torch.nn.Linear(256, 320, bias=False).to(torch.bfloat16)
    made = random_projection(linear, sparsity=sparsity, rank_share=0.0625)
    assert made.u is not None
    assert made.v is not None
    assert made.u.shape == (320, 8)
    kept = made.values.size + made.u.size + made.v.size
    assert kept / (256 * 320) == pytest.approx(1 - sparsity, abs=0.01)
    assert CompressedLinear(made)(torch.randn(1, 256)).shape == (1, 320)
