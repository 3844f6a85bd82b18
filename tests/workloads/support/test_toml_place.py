"""Lines of keys in TOML: as they stand in the file, or none; never another."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.support.toml_place import Place, key_lines

TEXT = """\
# a comment with name = 1
name = "x"
lines = [
  1, # name = 2
  2,
]
text = \"\"\"
[dram]
speed = 1
\"\"\"
dotted.first = 1
dotted.second = 2

[ dram ] # the memory
"bytes per second" = 3
inner = { one = 1, two = { three = 3 } }
wide = { four = [
  4 ], five = 5 }

[deep.down]
key = 'a # b'
[[many]]
name = 1
[after]
name = 2
"""


def test_key_lines_every_kind_of_statement() -> None:
    assert key_lines(TEXT) == {
        ("name",): 2,
        ("lines",): 3,
        ("text",): 7,
        ("dotted",): 11,
        ("dotted", "first"): 11,
        ("dotted", "second"): 12,
        ("dram",): 14,
        ("dram", "bytes per second"): 15,
        ("dram", "inner"): 16,
        ("dram", "inner", "one"): 16,
        ("dram", "inner", "two"): 16,
        ("dram", "inner", "two", "three"): 16,
        ("dram", "wide"): 17,
        ("deep", "down"): 20,
        ("deep", "down", "key"): 21,
        ("many",): 22,
        ("after",): 24,
        ("after", "name"): 25,
    }


NAMES = st.sampled_from(["a", "b", "c", '"d.e"', "'f = 1'"])
VALUES = st.sampled_from(
    ["1", "'x'", "[\n  1,\n  2 ]", "{ p = 1, q = 2 }", '"""\na = 1\n"""', "[] # b = 1"]
)
STATEMENTS = st.one_of(
    st.builds("{} = {}".format, NAMES, VALUES),
    st.builds("{}.{} = {}".format, NAMES, NAMES, VALUES),
    st.builds("[{}]".format, NAMES),
    st.builds("[{}.{}]".format, NAMES, NAMES),
    st.sampled_from(["", "# a = 1"]),
)


def _leaves(table: dict[str, Any], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for key, value in table.items():
        inner = _leaves(value, (*above, key)) if isinstance(value, dict) else []
        found += inner or [(*above, key)]
    return found


@given(st.lists(STATEMENTS, max_size=12))
def test_key_lines_without_a_keys_line_the_key_is_gone(statements: list[str]) -> None:
    """Cutting the file before a key's line leaves the key out; after its statement it is there."""
    text = "\n".join(statements) + "\n"
    try:
        whole = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = key_lines(text)
    for keys in _leaves(whole):
        at = lines[keys]
        before = tomllib.loads("\n".join(text.split("\n")[: at - 1]))
        assert keys not in _leaves(before)
        rest = text.split("\n")[at - 1 :]
        assert rest[0].strip()
        assert not rest[0].startswith("#")
        assert keys[-1].strip("'\"") in rest[0]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    path = tmp_path / "x.toml"
    path.write_text(TEXT)
    return Place("x.toml", path, changed={("dram", "inner")})


@pytest.mark.parametrize(
    ("table", "keys", "expected"),
    [
        ((), ("name",), "x.toml:2"),
        ((), ("deep",), "x.toml:20"),
        ((), ("nowhere",), "x.toml"),
        (("dram",), ("bytes per second",), "x.toml:15: [dram]"),
        (("dram",), ("inner",), "x.toml: [dram]"),
        (("dram",), ("wide", "five"), "x.toml:17: [dram]"),
        (("dram",), ("unseen",), "x.toml:14: [dram]"),
        (("many",), ("name",), "x.toml:22: [many]"),
    ],
)
def test_place_of_names_the_keys_line_its_tables_or_none(
    place: Place, table: tuple[str, ...], keys: tuple[str, ...], expected: str
) -> None:
    assert place.inside(*table).of(*keys) == expected


def test_place_of_missing_names_the_tables_header(place: Place) -> None:
    assert place.of_missing() == "x.toml"
    assert place.inside("dram").of_missing() == "x.toml:14: [dram]"
    assert place.inside("deep").of_missing() == "x.toml: [deep]"
    assert str(place.inside("dram")) == "x.toml: [dram]"


def test_place_without_a_file_or_with_a_lost_one_has_no_line(tmp_path: Path) -> None:
    assert Place("accelerator vitcod", table=("dram",)).of("x") == "accelerator vitcod: [dram]"
    assert Place("gone.toml", tmp_path / "gone.toml").of("x") == "gone.toml"


def test_key_lines_long_lists_and_strings_end_where_they_end() -> None:
    text = (
        "first = 1\nlong = [\n" + "1, # ] a = 1\n" * 5000 + "]\nsecond = 2\n"
        'string = """\na = ]\\"""\nthird = 3"""""\nlast = \'\'\'\n\'\'x\'\'\'\'\nend = 1\n'
    )
    expected = {"first": 1, "long": 2, "second": 5004, "string": 5005, "last": 5008, "end": 5010}
    assert tomllib.loads(text).keys() == expected.keys()
    assert key_lines(text) == {(key,): line for key, line in expected.items()}
