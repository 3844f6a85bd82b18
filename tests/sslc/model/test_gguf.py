"""GGUF files that are whole are converted; others are refused; the cache is ours and checked."""

import os
import stat
from pathlib import Path
from random import Random

import pytest

from sslc.model import gguf
from sslc.model.gguf_header import read_header
from sslc.model.opening import open_checkpoint
from tests.faults.damage import damaged
from tests.sslc.model.gguf_files import BLOCKS, HIDDEN, shapes, write_gguf
from workloads.support.cache import cached
from workloads.support.errors import InputError

LAST = f"blk.{BLOCKS - 1}.ffn_down.weight"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "sslc"


def test_read_header_has_every_tensor_and_number(tmp_path: Path) -> None:
    header = read_header(write_gguf(tmp_path / "m.gguf", shapes()))
    assert header.shapes == shapes()
    assert header.values["llama.embedding_length"] == HIDDEN
    assert header.values["tokenizer.ggml.tokens"] is None
    assert header.values["general.architecture"] == "llama"


@pytest.mark.parametrize(
    ("left_out", "values", "says"),
    [
        ((LAST,), {}, r"layers\.1\.mlp\.down_proj\.weight' is missing"),
        (("token_embd.weight",), {}, r"embed_tokens\.weight' is missing"),
        ((), {"split.count": 3}, "one of 3 parts"),
        ((), {"llama.block_count": 10**6}, r"layers\.2\..* is missing"),
        ((), {"llama.block_count": 1}, "beyond the last"),
        ((), {"llama.embedding_length": 64}, "implies"),
        ((), {"llama.attention.head_count": 0}, "num_attention_heads|cannot read"),
        ((), {"general.alignment": 0}, "alignment"),
    ],
)
def test_incomplete_gguf_is_refused_and_leaves_nothing(
    tmp_path: Path, cache: Path, left_out: tuple[str, ...], values: dict[str, int], says: str
) -> None:
    tensors = {name: shape for name, shape in shapes().items() if name not in left_out}
    path = write_gguf(tmp_path / "m.gguf", tensors, **values)
    with pytest.raises(InputError, match=says):
        open_checkpoint(str(path))
    assert not cache.exists() or not list(cache.iterdir())


def test_damaged_gguf_header_is_one_sentence(tmp_path: Path) -> None:
    """Damage within the part before the tensors; what is still right is read."""
    path = write_gguf(tmp_path / "m.gguf", shapes())
    whole = path.read_bytes()
    sentences = []
    for seed in range(300):
        path.write_bytes(damaged(whole[:2000], Random(seed)) + whole[2000:])
        try:
            read_header(path)
        except InputError as error:
            sentences.append(str(error))
    assert len(sentences) > 100
    assert all("m.gguf" in sentence and sentence.isprintable() for sentence in sentences)


def test_cut_gguf_is_refused(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", shapes())
    whole = path.read_bytes()
    for size in (3, 23, 40, 1000, len(whole) // 2, len(whole) - 100):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match=r"m\.gguf"):
            read_header(path)


def test_cached_entry_is_made_again_when_it_is_not_what_was_made(cache: Path) -> None:
    made = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "weights").write_bytes(b"\1\2")

    entry = cached("x", make)
    assert cached("x", make) == entry
    assert len(made) == 1
    for damage in (
        lambda: (entry / "weights").write_bytes(b"\1\3"),
        lambda: (entry / "more").touch(),
        lambda: (entry / "weights").unlink(),
        lambda: (entry / "sha256.json").write_text("{}"),
    ):
        damage()
        assert cached("x", make) == entry
        assert (entry / "weights").read_bytes() == b"\1\2"
    assert len(made) == 5
    assert [path.name for path in cache.iterdir()] == ["x"]


def test_cache_is_private_and_free_of_what_a_killed_run_left(cache: Path) -> None:
    (cache / "x.partial-0123").mkdir(parents=True)
    (cache / "x.partial-0123" / "half").touch()
    cache.chmod(0o777)
    cached("x", lambda folder: (folder / "z").touch())
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert [path.name for path in cache.iterdir()] == ["x"]


def test_cache_makes_one_entry_while_another_is_being_made(cache: Path) -> None:
    def outer(folder: Path) -> None:
        (folder / "a").touch()
        cached("inner", lambda other: (other / "b").touch())

    cached("outer", outer)
    assert sorted(path.name for path in cache.iterdir()) == ["inner", "outer"]


def test_cache_of_another_user_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.mkdir(parents=True)
    monkeypatch.setattr(os, "getuid", lambda: cache.stat().st_uid + 1)
    with pytest.raises(InputError, match="belongs to another user"):
        cached("x", lambda folder: (folder / "z").touch())


def test_conversion_that_is_interrupted_leaves_nothing(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_path: Path, _header: object, target: Path) -> None:
        (target / "model.safetensors").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(gguf, "_save_gguf", interrupted)
    with pytest.raises(KeyboardInterrupt):
        open_checkpoint(str(write_gguf(tmp_path / "m.gguf", shapes())))
    assert not list(cache.iterdir())


def test_whole_gguf_is_converted_once_and_read_back(tmp_path: Path, cache: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", shapes())
    first = open_checkpoint(str(path))
    again = open_checkpoint(str(path))
    assert first.directory == again.directory
    assert first.shapes()["model.layers.1.mlp.down_proj.weight"] == shapes()[LAST]
    assert not {"lm_head.weight"} & first.names()
    assert [entry.name for entry in cache.iterdir()] == [first.directory.name]
