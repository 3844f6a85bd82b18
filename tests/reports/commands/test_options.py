import pytest

from reports.commands.options import check_style, cycle_models, parse_settings, several
from workloads.support.errors import InputError


def test_cycle_models_all_leaves_out_compiled_which_has_a_name() -> None:
    assert cycle_models("all") == ("published", "roofline", "event")
    assert cycle_models("compiled") == ("compiled",)
    with pytest.raises(InputError, match="did you mean compiled"):
        cycle_models("compile")


def test_parse_settings_values_are_toml_or_words() -> None:
    assert parse_settings(["lines=32", "tile.rows=auto"]) == {"lines": 32, "tile.rows": "auto"}


def test_several_takes_commas_and_repeats() -> None:
    assert several(["a, b", "c,"]) == ("a", "b", "c")
    assert several(None) == ()


def test_check_style_unknown_is_refused() -> None:
    assert check_style("csv") == "csv"
    with pytest.raises(InputError, match="unknown table format 'cvs': did you mean csv"):
        check_style("cvs")
