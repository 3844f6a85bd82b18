"""Checkpoints that others made: right, as transformers reads them, or refused by their cause."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

import sslc
from sslc.evaluation.perplexity import perplexity
from sslc.exporting.adapter_export import export_adapter
from sslc.exporting.dense import export_dense
from sslc.model.adapter import AdaptedWeights
from sslc.model.loading import load_whole
from sslc.model.opening import open_checkpoint, open_source
from tests.sslc.making import SONNETS, make_artifact
from tests.sslc.model.checkpoints import Tensors, configure, copied, edit, shard
from workloads.support.errors import InputError

IDS = torch.arange(24)[None]
HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"


def _logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model(IDS).logits
    return logits


def _public(model: Path) -> torch.Tensor:
    return _logits(AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32))


def _measured(model: Path) -> float:
    source = open_source(str(model))
    return perplexity(source, str(SONNETS), window_tokens=24, max_tokens=96).negative_log_likelihood


def test_stale_shards_and_other_programs_files_are_not_read(llama: Path, tmp_path: Path) -> None:
    model = copied(llama, tmp_path)
    stale = {
        name: torch.zeros_like(t) for name, t in load_file(model / "model.safetensors").items()
    }
    shard(model)
    save_file(stale, model / "model-00009.safetensors")
    save_file({"layers.0.wq": torch.ones(2)}, model / "consolidated.safetensors")
    for name in ("progress.json", "manifest.json", "trainer_state.json"):
        (model / name).write_text('{"format": "another"}')
    assert _measured(model) == _measured(llama)
    made = make_artifact(model, tmp_path / "a", method="wanda")
    assert {"config.json", "tokenizer.json"} <= set(made.files)
    assert not {"progress.json", "trainer_state.json"} & set(made.files)
    assert not any(name.startswith("layers.") for name in made.read_rest().tensors)


@pytest.mark.parametrize("own", [True, False])
def test_tied_model_with_a_head_of_its_own_equals_transformers_every_way(
    qwen: Path, tmp_path: Path, own: bool
) -> None:
    model = copied(qwen, tmp_path)
    if own:
        edit(model, lambda t: t.update({HEAD: t[EMBEDDING].flip(0).contiguous()}))
    expected = _public(model)
    assert torch.allclose(_logits(load_whole(open_source(str(model)))), expected, atol=1e-5)
    lossless = make_artifact(model, tmp_path / "a", settings={"kept_fraction": 1.0, "rank": 0})
    export_dense(lossless, tmp_path / "dense")
    assert torch.allclose(_logits(sslc.load(lossless)), expected, atol=1e-4)
    assert torch.allclose(_public(tmp_path / "dense"), expected, atol=1e-4)
    tied = json.loads((tmp_path / "dense/config.json").read_text())["tie_word_embeddings"]
    assert tied is not own
    assert math.isclose(_measured(model), _measured(lossless.path), rel_tol=1e-5)


def test_leftovers_in_settings_reach_neither_artifact_nor_export(
    llama: Path, tmp_path: Path
) -> None:
    model = copied(llama, tmp_path)
    before = _public(model)
    configure(
        model,
        quantization_config={"quant_method": "gptq", "bits": 4},
        auto_map={"AutoModelForCausalLM": "m.M"},
    )
    assert torch.equal(_logits(load_whole(open_source(str(model)))), before)
    made = make_artifact(model, tmp_path / "a")
    export_dense(made, tmp_path / "dense")
    export_adapter(made, tmp_path / "base")
    for folder in ("a", "dense", "base"):
        config = json.loads((tmp_path / folder / "config.json").read_text())
        assert not {"quantization_config", "auto_map"} & set(config)
    assert torch.allclose(_public(tmp_path / "dense"), _logits(sslc.load(made)), atol=1e-4)
    assert isinstance(open_source(str(tmp_path / "base")), AdaptedWeights)
    with pytest.raises(InputError, match="merge it with PEFT"):
        open_checkpoint(str(tmp_path / "base"))


def test_companion_that_links_out_of_its_directory_is_refused(llama: Path, tmp_path: Path) -> None:
    model = copied(llama, tmp_path)
    (tmp_path / "secret").write_text("{}")
    (model / "vocab.json").symlink_to(tmp_path / "secret")
    with pytest.raises(InputError, match=r"vocab\.json: a link out of its directory"):
        make_artifact(model, tmp_path / "a", method="wanda")
    assert not list(tmp_path.glob("a*"))


def _renamed(tensors: Tensors, old: str, new: str) -> None:
    for name in [name for name in tensors if name.startswith(old)]:
        tensors[new + name.removeprefix(old)] = tensors.pop(name)


def _in_turn(*changes: Callable[[Path], object]) -> Callable[[Path], object]:
    def change(model: Path) -> None:
        for one in changes:
            one(model)

    return change


UP = "model.layers.1.mlp.up_proj"
CAUSES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no head": (lambda m: edit(m, lambda t: t.pop(HEAD)), f"{HEAD}' is missing, and config.json"),
    "another head": (
        lambda m: edit(m, lambda t: t.update({"score.weight": t.pop(HEAD)})),
        r"another class \(tensor 'score.weight'",
    ),
    "base model": (
        _in_turn(
            lambda m: edit(m, lambda t: t.pop(HEAD)),
            lambda m: edit(m, lambda t: _renamed(t, "model.", "")),
        ),
        "lack the prefix 'model.'",
    ),
    "gptq": (
        _in_turn(
            lambda m: configure(m, quantization_config={"quant_method": "gptq"}),
            lambda m: edit(m, lambda t: _renamed(t, f"{UP}.weight", f"{UP}.qweight")),
        ),
        r"quantised by 'gptq'.*up_proj\.qweight",
    ),
    "fp8": (
        lambda m: edit(
            m,
            lambda t: t.update({f"{UP}.weight": t[f"{UP}.weight"].to(torch.float8_e4m3fn)}),
        ),
        "quantised, or.*F8_E4M3",
    ),
    "int8": (
        lambda m: edit(m, lambda t: t.update({f"{UP}.SCB": torch.ones(3)})),
        r"quantised, or.*SCB",
    ),
    "pruning that is not final": (
        lambda m: edit(m, lambda t: _renamed(t, f"{UP}.weight", f"{UP}.weight_orig")),
        "prune.remove",
    ),
    "lora": (
        lambda m: edit(m, lambda t: t.update({f"{UP}.lora_A.weight": torch.ones(2, 64)})),
        "merge it",
    ),
    "adapter beside": (lambda m: configure(m, "adapter_config.json", r=2), "beside the model"),
    "adapter alone": (
        _in_turn(
            lambda m: configure(m, "adapter_config.json", r=2),
            lambda m: (m / "config.json").unlink(),
        ),
        "an adapter alone",
    ),
    "a missing shard": (
        lambda m: (m / shard(m)[f"{UP}.weight"]).unlink(),
        r"index.json: .* should be in",
    ),
    "config a list": (lambda m: (m / "config.json").write_text("[]"), "not an object"),
    "heads a string": (lambda m: configure(m, num_attention_heads="4"), "num_attention_heads must"),
    "zero heads": (lambda m: configure(m, num_attention_heads=0), "num_attention_heads must"),
    "odd heads": (lambda m: configure(m, num_attention_heads=3), "not a multiple|implies"),
    "many layers": (lambda m: configure(m, num_hidden_layers=10**7), "layers.3.* is missing"),
    "absurd layers": (lambda m: configure(m, num_hidden_layers=10**12), "num_hidden_layers must"),
    "few layers": (lambda m: configure(m, num_hidden_layers=2), "beyond the last"),
    "vocabulary": (lambda m: configure(m, vocab_size=383), r"\[384, 64\], config.json implies"),
    "tied a number": (lambda m: configure(m, tie_word_embeddings=1), "true or false"),
    "epsilon a string": (lambda m: configure(m, rms_norm_eps="1"), "rms_norm_eps must"),
    "an unknown activation": (lambda m: configure(m, hidden_act="sin"), "cannot build this model"),
    "rope a number": (lambda m: configure(m, rope_parameters=3), "config.json"),
}


@pytest.mark.parametrize("name", CAUSES)
def test_checkpoint_that_cannot_be_used_is_refused_by_its_cause(
    llama: Path, tmp_path: Path, name: str
) -> None:
    model = copied(llama, tmp_path)
    damage, says = CAUSES[name]
    damage(model)
    with pytest.raises(InputError, match=says) as caught:
        _measured(model)
    assert str(model) in str(caught.value)


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"model": 3}', '{"version": "1.0", "model": {"type": "BPE"}}', "\x00"]
)
def test_broken_tokenizer_is_one_sentence(llama: Path, tmp_path: Path, content: str) -> None:
    model = copied(llama, tmp_path)
    (model / "tokenizer.json").write_text(content)
    with pytest.raises(InputError, match="tokenizer"):
        _measured(model)


PLANTED = """
from pathlib import Path
Path({mark!r}).touch()
from transformers import {base} as Planted
"""


def test_code_beside_a_checkpoint_never_runs(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is the user asked whether it may."""
    model, mark = copied(llama, tmp_path), tmp_path / "ran"
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    for file, base in (("mine", "PreTrainedTokenizerFast"), ("other", "LlamaForCausalLM")):
        (model / f"{file}.py").write_text(PLANTED.format(mark=str(mark), base=base))
    configure(
        model,
        auto_map={"AutoConfig": "other.Planted", "AutoModelForCausalLM": "other.Planted"},
    )
    configure(
        model,
        "tokenizer_config.json",
        auto_map={"AutoTokenizer": ["mine.Planted", "mine.Planted"]},
        tokenizer_class="Planted",
    )
    try:
        _measured(model)
    except InputError as error:
        assert "tokenizer" in str(error)  # noqa: PT017 - both ends are right, the mark decides
    load_whole(open_source(str(model)))
    configure(model, "tokenizer_config.json", tokenizer_class=None, auto_map=None)
    export_dense(make_artifact(model, tmp_path / "a"), tmp_path / "dense")
    AutoModelForCausalLM.from_pretrained(tmp_path / "dense")
    assert not mark.exists()
    assert not list((tmp_path / "dense").glob("*.py"))
