from dataclasses import dataclass
from pathlib import Path

import pytest

from workloads.shapes.transformer import load_model, model_names
from workloads.support.errors import InputError
from workloads.support.presets import build, read_toml


@dataclass(frozen=True)
class Thing:
    size_bytes: int
    share: float = 0.5


def test_load_model_every_shipped_shape_loads() -> None:
    assert {load_model(name).name for name in model_names()} == set(model_names())


def test_load_model_unknown_name_suggests_nearest() -> None:
    with pytest.raises(InputError, match=r"did you mean llama2-7b"):
        load_model("lama2-7b")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "'size_bytes' is missing"),
        ({"size_bytes": 1, "shar": 0.1}, "did you mean share"),
        ({"size_bytes": "1"}, "size_bytes must be int"),
        ({"size_bytes": True}, "size_bytes must be int"),
    ],
)
def test_build_bad_table_names_key(table: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(Thing, table, "thing.toml")


def test_build_int_is_accepted_for_float() -> None:
    assert build(Thing, {"size_bytes": 2, "share": 1}, "t") == Thing(2, 1)


@pytest.mark.parametrize("content", [b"a = 1\na = 2\n", b"a = ", b"\xff\xfe"])
def test_read_toml_broken_file_names_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.toml").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.toml"):
        read_toml(tmp_path / "x.toml")
