import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from workloads.support.errors import InputError
from workloads.support.weight_files import open_weights


def _shard(folder: Path, name: str, **values: float) -> None:
    save_file({k: np.full(2, v, dtype=np.float32) for k, v in values.items()}, folder / name)


def _index(folder: Path, places: object) -> None:
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": places}))


def _values(folder: Path) -> dict[str, float]:
    return {name: float(file.read(name)[0]) for name, file in open_weights(folder).items()}


def test_open_weights_reads_what_the_index_names_and_no_stale_shard(tmp_path: Path) -> None:
    _shard(tmp_path, "model-1.safetensors", a=1, old=9)
    _shard(tmp_path, "model-2.safetensors", b=2, a=7)
    _shard(tmp_path, "model-3.safetensors", a=8, c=8)
    _index(tmp_path, {"a": "model-1.safetensors", "b": "model-2.safetensors"})
    assert _values(tmp_path) == {"a": 1, "b": 2}


def test_open_weights_without_an_index_model_safetensors_is_the_model(tmp_path: Path) -> None:
    _shard(tmp_path, "model.safetensors", a=1)
    _shard(tmp_path, "consolidated.safetensors", a=2, b=2)
    assert _values(tmp_path) == {"a": 1}


def test_open_weights_of_nothing_is_empty(tmp_path: Path) -> None:
    assert open_weights(tmp_path) == {}


def test_open_weights_other_names_are_read_together_if_no_tensor_stands_twice(
    tmp_path: Path,
) -> None:
    _shard(tmp_path, "x.safetensors", a=1)
    _shard(tmp_path, "y.safetensors", b=2)
    assert _values(tmp_path) == {"a": 1, "b": 2}
    _shard(tmp_path, "z.safetensors", a=3)
    with pytest.raises(InputError, match=r"z\.safetensors: tensor 'a' stands in x\.safetensors"):
        open_weights(tmp_path)


@pytest.mark.parametrize(
    ("places", "message"),
    [
        (
            {"a": "m.safetensors", "b": "gone.safetensors"},
            r"'b' should be in .*gone\.safetensors: No such file",
        ),
        ({"a": "m.safetensors", "b": "m.safetensors"}, r"m\.safetensors: has no 'b'"),
        ({"a": "../m.safetensors"}, "is in no file beside it"),
        ({"a": 3}, "is in no file beside it, got 3"),
        ({"a": ""}, "is in no file beside it"),
        ({}, "not an index"),
        ([], "not an index"),
    ],
)
def test_open_weights_an_index_that_is_not_the_files_is_refused(
    tmp_path: Path, places: object, message: str
) -> None:
    _shard(tmp_path, "m.safetensors", a=1)
    _index(tmp_path, places)
    with pytest.raises(InputError, match=message):
        open_weights(tmp_path)
