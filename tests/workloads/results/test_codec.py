from collections.abc import Mapping
from dataclasses import dataclass, field, make_dataclass, replace
from fractions import Fraction
from typing import Any, Literal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.results.codec import from_json, schema, to_json
from workloads.support.errors import InputError


@dataclass(frozen=True)
class Inner:
    """An inner record."""

    count: int
    share: Fraction


@dataclass(frozen=True)
class Outer:
    """A record of every kind of field. With more."""

    DERIVED = ("twice",)

    name: str
    kind: Literal["a", "b"]
    value: float
    inner: Inner
    pair: tuple[int, str]
    many: tuple[Inner, ...]
    by_name: Mapping[str, float]
    anything: Any
    flag: bool = False
    maybe: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def twice(self) -> float:
        """Twice the value."""
        return 2 * self.value


WHOLE = Outer(
    "x", "a", 1.5, Inner(3, Fraction(768, 5)), (1, "one"), (Inner(1, Fraction(1)),),
    {"y": 2.0}, [1, {"z": None}],
)  # fmt: skip


def test_to_json_record_gives_plain_values_and_derived_ones() -> None:
    value = to_json(WHOLE)
    assert value["inner"] == {"count": 3, "share": "768/5"}
    assert value["pair"] == [1, "one"]
    assert value["twice"] == 3.0
    assert from_json(Outer, value, "here") == WHOLE


def test_from_json_derived_value_that_is_wrong_is_not_believed() -> None:
    value = to_json(WHOLE) | {"twice": 100.0}
    assert from_json(Outer, value, "here").twice == 3.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 3}, "here.name: must be string, got 3"),
        ({"kind": "c"}, "here.kind: must be one of 'a', 'b', got 'c'"),
        ({"value": True}, "here.value: must be number, got True"),
        ({"inner": []}, "here.inner: must be an object"),
        ({"inner": {"count": 1.5, "share": "1"}}, "here.inner.count: must be integer, got 1.5"),
        ({"inner": {"count": 1, "share": "1/0"}}, "here.inner.share: must be a fraction"),
        ({"inner": {"count": 1}}, "here.inner: field 'share' is missing"),
        ({"pair": [1]}, "here.pair: must be a list of 2"),
        ({"many": {}}, "here.many: must be a list"),
        ({"many": [{"count": "1", "share": "1"}]}, "here.many[0].count: must be integer"),
        ({"by_name": {"y": "2"}}, "here.by_name.y: must be number"),
        ({"maybe": "1"}, "here.maybe: must be integer"),
        ({"other": 1}, "here: unknown field 'other'"),
    ],
)
def test_from_json_wrong_value_names_the_field(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        from_json(Outer, to_json(WHOLE) | change, "here")
    assert str(error.value).startswith(message)
    if "other" not in change and "1/0" not in str(change):
        assert list(jsonschema.Draft202012Validator(schema(Outer)).iter_errors(
            to_json(WHOLE) | change
        ))  # fmt: skip


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"bytes"])
def test_to_json_what_json_does_not_have_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="cannot be written as JSON"):
        to_json(replace(WHOLE, anything=value))


@given(
    st.integers(-(2**60), 2**60),
    st.fractions(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)),
)
def test_from_json_reads_what_to_json_wrote_and_the_schema_accepts_it(
    count: int, share: Fraction, value: float, by_name: dict[str, float]
) -> None:
    record = replace(WHOLE, value=value, inner=Inner(count, share), by_name=by_name)
    if abs(value) < 1e308:  # twice of it is finite
        written = to_json(record)
        jsonschema.validate(written, schema(Outer))
        assert from_json(Outer, written, "here") == record


def test_schema_two_dataclasses_of_one_name_are_refused() -> None:
    def another() -> type:
        @dataclass(frozen=True)
        class Inner:
            """Not the other one."""

            other: str

        return Inner

    both = make_dataclass("Both", [("one", Inner), ("two", another())], frozen=True)
    with pytest.raises(ValueError, match="two dataclasses are called Inner"):
        schema(both)
