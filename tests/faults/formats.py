"""Every format that is read: a whole file, and how it is read.

``exact`` formats carry hashes: damage is refused or changes nothing. The others are the user's own
words, and damage may be another file that is right.
"""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from transformers import LlamaConfig

from accelerator_sim.design_space.space import load_space
from accelerator_sim.machine.catalog import load_accelerator, load_cost_table
from sslc.model.config import load_config, tokenize
from sslc.model.gguf_header import read_header
from tests.accelerator_sim.spaces import BASE, FIELDS
from tests.conftest import save_tokenizer
from tests.sslc.model.gguf_files import shapes, write_gguf
from tests.workloads.artifact.test_read import (
    RECORD,
    SETTINGS,
    numbered_artifact,
    small_artifact,
    write_blocks,
)
from tests.workloads.masks.test_foreign import weights
from tests.workloads.results.results import perplexity
from workloads.artifact.read import open_artifact
from workloads.artifact.write import start_artifact
from workloads.masks.foreign import open_pruned, read_mask
from workloads.results.envelope import result_from_json, result_to_json
from workloads.results.kinds import PerplexityResult
from workloads.shapes.attention import read_heads
from workloads.support.files import read_json, write_json
from workloads.support.shards import read_table, table_bytes
from workloads.texts.instructions import load_instructions
from workloads.texts.windows import load_text


@dataclasses.dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes:
        make: Writes a whole one, with what belongs to it, into a folder; returns its path.
        read: Reads it; what it returns can be compared.
        exact: Whether damage never gives another value.
    """

    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    exact: bool = False


def _artifact_file(name: str) -> Callable[[Path], Path]:
    return lambda folder: small_artifact(folder) / name


def _read_artifact(file: Path) -> Any:
    directory = file.parent.parent if file.parent.name == "blocks" else file.parent
    artifact = open_artifact(directory)
    artifact.verify()
    stored = [artifact.read(index, RECORD.name) for index in range(len(artifact.blocks))]
    arrays = [(part.mask.bits, part.values, part.u, part.v) for part in stored]
    rest = artifact.read_rest()
    return (
        [[array.tobytes() for array in part] for part in arrays],
        [rest.read(name).tobytes() for name in rest.tensors],
        dataclasses.replace(artifact, path=Path()),
    )


def _numbers(folder: Path) -> Path:
    """The block of an artifact whose values and factors are whole numbers with scales."""
    return numbered_artifact(folder) / "blocks" / "000.safetensors"


def _progress(folder: Path) -> Path:
    return write_blocks(folder / "a").partial / "progress.json"


def _read_progress(file: Path) -> Any:
    target = file.parent.with_name("a")
    return len(start_artifact(target, SETTINGS, resume=True, overwrite=False).blocks)


def _written(name: str, data: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return make


def preset(folder: str, name: str) -> bytes:
    """The bytes of a preset that ships with the simulator."""
    import accelerator_sim.machine.catalog as catalog

    return (Path(catalog.__file__).parent / folder / f"{name}.toml").read_bytes()


def _npy(folder: Path) -> Path:
    np.save(folder / "m.npy", np.eye(9, 20, dtype=bool))
    return folder / "m.npy"


def _pruned(folder: Path) -> Path:
    from safetensors.numpy import save_file

    save_file(weights(0, np.float32), folder / "model-1.safetensors")
    save_file(weights(1, np.float16), folder / "model-2.safetensors")
    return folder / "model-1.safetensors"


def _index(folder: Path) -> Path:
    _pruned(folder)
    places = dict.fromkeys(weights(0, np.float32), "model-1.safetensors")
    places |= dict.fromkeys(weights(1, np.float16), "model-2.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return folder / "model.safetensors.index.json"


def _read_pruned(file: Path) -> Any:
    found = open_pruned(file.parent).projections()
    return [(index, item.gemm, item.mask.bits.tobytes()) for index, item in found]


def _shard(folder: Path) -> Path:
    return _written("0.parquet", table_bytes(_table()))(folder)


def _table() -> Any:
    import pyarrow as pa

    rows = [{"point": n, "reason": None if n % 3 else "no", "cycles": n / 7} for n in range(16)]
    return pa.Table.from_pylist(rows)


def _result(folder: Path) -> Path:
    write_json(folder / "r.json", result_to_json(perplexity()))
    return folder / "r.json"


def _tokenizer(folder: Path) -> Path:
    save_tokenizer(folder)
    return folder / "tokenizer.json"


def _read_config(file: Path) -> Any:
    return load_config(file.parent).to_dict()


def _read_tokenizer(file: Path) -> Any:
    return tokenize(file.parent, "An odd text.").tolist()


CONFIG = json.dumps(LlamaConfig(num_hidden_layers=2, hidden_size=64).to_dict()).encode()
HEADS = b'{"num_attention_heads": 8, "num_key_value_heads": 2, "hidden_size": 64}'
ROWS = b'{"instruction": "a", "input": "", "output": "b"}\n{"text": "c"}\n'
FORMATS = {
    "block": Format(_artifact_file("blocks/001.safetensors"), _read_artifact, exact=True),
    "numbers": Format(_numbers, _read_artifact, exact=True),
    "rest": Format(_artifact_file("rest.safetensors"), _read_artifact, exact=True),
    "manifest": Format(_artifact_file("manifest.json"), _read_artifact, exact=True),
    "progress": Format(_progress, _read_progress, exact=True),
    "checkpoint": Format(_pruned, _read_pruned),
    "index": Format(_index, _read_pruned),
    "npy": Format(_npy, lambda file: read_mask(file).bits.tobytes()),
    "machine": Format(_written("m.toml", preset("presets", "vitcod")), load_accelerator),
    "costs": Format(_written("c.toml", preset("cost_tables", "28nm")), load_cost_table),
    "space": Format(_written("s.toml", (BASE + FIELDS).encode()), lambda f: load_space(f).digest),
    "shard": Format(_shard, lambda file: read_table(file, _table().schema), exact=True),
    "result": Format(
        _result, lambda file: result_from_json(read_json(file), [PerplexityResult], str(file))
    ),
    "heads": Format(_written("config.json", HEADS), lambda file: read_heads(file.parent)),
    "config": Format(_written("config.json", CONFIG), _read_config),
    "tokenizer": Format(_tokenizer, _read_tokenizer),
    "gguf": Format(lambda folder: write_gguf(folder / "m.gguf", shapes()), read_header),
    "text": Format(
        _written("t.txt", "Naïve words.\n".encode() * 9), lambda f: load_text(str(f), "evaluation")
    ),
    "rows": Format(_written("r.jsonl", ROWS), lambda file: load_instructions(str(file)).examples),
}
