from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from workloads.shapes.transformer import load_model, model_names
from workloads.support.errors import InputError
from workloads.support.presets import build, read_toml, toml_file
from workloads.support.toml_place import Place


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


@dataclass(frozen=True)
class Counted:
    count: int | None = None
    size: int | Literal["auto"] = "auto"
    share: float = 0.5

    def __post_init__(self) -> None:
        if self.size == 13:
            raise ValueError(f"size must not be {self.size}")


def test_build_whole_floats_are_taken_as_whole_numbers() -> None:
    built = build(Counted, {"count": 2e3, "size": 76.8e9, "share": 1.0}, "t")
    assert built == Counted(2000, 76_800_000_000, 1.0)
    assert (type(built.count), type(built.size), type(built.share)) == (int, int, float)
    assert build(Thing, {"size_bytes": 64e9}, "t") == Thing(64_000_000_000)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"size_bytes": 1.5}, r"size_bytes must be int, got 1\.5"),
        ({"size_bytes": 1, "share": "60%"}, r"share must be float, got '60%'; write 0\.6 for 60%"),
        ({"size_bytes": 1, "share": " 7.5 % "}, r"write 0\.075 for 7\.5 %"),
        ({"size_bytes": 2**63}, r"size_bytes must be less than 2\^63, got 9223372036854775808"),
        ({"size_bytes": -(10**400)}, r"less than 2\^63, got a whole number of 1329 bits"),
        ({"size_bytes": 1, "share": 10**400}, r"share must be less than 2\^63"),
        ({"size_bytes": 1e300}, r"size_bytes must be less than 2\^63"),
        ({"size_bytes": float("nan")}, "size_bytes must be int, got nan"),
        ({"size_bytes": 1, "sh\nare\x1b": 1}, r"unknown key 'sh\\nare\\x1b'"),
    ],
)
def test_build_numbers_that_cannot_be_are_named(table: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(Thing, table, "t")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("lines: 64\nclock: 5\n", "looks like YAML, TOML is meant"),
        ("a = 1\n- b\n", "looks like YAML"),
        ("a = 1\nshare = 60%\n", r"write 0\.6 for 60%"),
        ("a = " + "[" * 1500 + "]" * 1500, "nested too deep"),
        (".".join("a" * 300) + " = 1", "nested too deep"),
        ("a = " + "9" * 5000, "not TOML"),
        ("a = 1979-13-01", "not TOML"),
        ('a = "\n"', "not TOML"),
    ],
)
def test_read_toml_says_what_was_probably_meant(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "x.toml").write_text(content)
    with pytest.raises(InputError, match=message):
        read_toml(tmp_path / "x.toml")


def test_read_toml_byte_order_mark_and_carriage_returns_change_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_bytes('\ufeffa = 1\r\n[b]\r\nc = "ü"\r\n'.encode())
    assert read_toml(tmp_path / "x.toml") == {"a": 1, "b": {"c": "ü"}}
    assert Place("x", tmp_path / "x.toml", ("b",)).of("c") == "x:3: [b]"


@pytest.mark.parametrize("name", ["machine.yaml", "my/machine.yml", "x.json", "my/machine"])
def test_toml_file_another_kind_of_file_is_told_that_toml_is_meant(name: str) -> None:
    with pytest.raises(InputError, match=r"its file is TOML, with a name that ends in \.toml"):
        toml_file("accelerator", name)


def test_toml_file_names_of_presets_and_files_are_told_apart() -> None:
    assert toml_file("accelerator", "vitcod") is None
    assert toml_file("accelerator", "llama2.5") is None
    assert toml_file("accelerator", "a/b.toml") == Path("a/b.toml")
