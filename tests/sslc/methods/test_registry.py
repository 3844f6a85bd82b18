"""Methods by name: strict settings, each with a default."""

import dataclasses
from typing import Any

import pytest

from sslc.methods.registry import METHODS, QUANTIZERS, describe, load_method, method_class
from workloads.support.errors import InputError


@pytest.mark.parametrize("name", sorted(METHODS))
@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_load_method_share_out_of_range_raises(name: str, value: float) -> None:
    with pytest.raises(InputError, match=r"kept_fraction must lie in \[0, 1\]"):
        load_method(name, {"kept_fraction": value})


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("ssIc", {}, "did you mean sslc"),
        ("wanda", {"rank_share": 0.1}, "unknown key 'rank_share'"),
        ("sslc", {"iterations": 0}, "iterations must be at least 1"),
        ("sslc", {"iterations": 1.5}, "iterations must be int"),
        ("sslc", {"group": "column"}, "group must be row, matrix or N:M"),
        ("sslc", {"rank": -2}, "rank must be"),
        ("sslc", {"value_bits": 5}, "value_bits must be 16, 8, 6, 4, or 0, got 5"),
        ("wanda", {"factor_bits": 4}, "factor_bits must be 16, 8, or 0, got 4"),
        ("wanda", {"scale_columns": 20}, "multiple of 8, got 20"),
        ("wanda", {"rounding": "up"}, "rounding must be one of auto, nearest"),
        ("rtn", {"kept_fraction": 0.5}, "kept_fraction must be 1"),
    ],
)
def test_load_method_bad_setting_is_named(name: str, settings: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_method(name, settings)


def test_registry_settings_with_a_group_are_those_of_methods_that_prune() -> None:
    pruning = {"alps", "magnitude", "pruner-zero", "ria", "sparsegpt", "wanda"}
    with_group = {name for name in METHODS if "group" in describe(name).settings}
    split = {"3basil", "eora", "godec", "hassle-free-alps", "rpca", "slim", "sslc", "sslc-d"}
    assert with_group == pruning | split | {"sparseswaps"}


@pytest.mark.parametrize("name", sorted(METHODS))
def test_describe_reads_from_the_source_what_the_class_says(name: str) -> None:
    described, cls = describe(name), method_class(name)
    assert described.summary == str(cls.__doc__).splitlines()[0]
    defaults = {field.name: field.default for field in dataclasses.fields(cls)}
    assert described.settings == defaults
    assert described.settings["kept_fraction"] == (1.0 if name in QUANTIZERS else 0.5)


def test_describe_unknown_method_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean wanda"):
        describe("wandaa")
