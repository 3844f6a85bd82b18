from typing import Any

import pytest

from sslc.allocation.division import candidates, check_budget, divide_curves
from sslc.allocation.shares import Hardware, Share, share_settings, with_share
from sslc.compression.plan import read_overrides, write_overrides
from sslc.methods.registry import load_method
from workloads.results.cost_curves import CostCurve, CostCurves, CostPoint
from workloads.support.errors import InputError
from workloads.support.presets import build

WANDA = load_method("wanda", {})
NAMES = ("layers.0.mlp.up_proj", "layers.1.mlp.up_proj")


def curve(pattern: str, dense: float, **cycles: float) -> CostCurve:
    """A curve with points such as ``at50=100``."""
    points = (CostPoint(int(k[2:]) / 100, 0, {"cycles": v}) for k, v in cycles.items())
    return CostCurve(pattern, {"cycles": dense}, tuple(points))


CURVES = CostCurves((curve("up_proj", 200, at25=60, at50=100, at75=140),))
LOSSES = {
    NAMES[0]: {Share(0.25): 8.0, Share(0.5): 4.0, Share(0.75): 1.0},
    NAMES[1]: {Share(0.25): 1.5, Share(0.5): 1.0, Share(0.75): 0.5},
}


def kept(**settings: Any) -> list[float]:
    found = divide_curves(
        LOSSES, CURVES, hardware=build(Hardware, settings, "allocation hardware"), method=WANDA
    )
    assert [override.pattern for override in found.overrides] == list(NAMES)
    assert found.division.cost <= found.budget
    return [override.settings["kept_fraction"] for override in found.overrides]


def test_budget_of_uniform_goes_to_the_projection_that_gains_more() -> None:
    # 100 + 100 cycles: 1.0 + 1.5 at (0.75, 0.25) is less than 4 + 1 at (0.5, 0.5)
    assert kept() == [0.75, 0.25]


def test_given_budgets_are_in_the_unit_of_the_cost_or_a_share_of_dense() -> None:
    assert kept(budget=240) == kept(share_of_dense=0.6) == [0.75, 0.5]
    assert kept(budget=120) == [0.25, 0.25]
    assert kept(share_of_dense=1) == [0.75, 0.75]


def test_uniform_loss_and_gap_are_told() -> None:
    found = divide_curves(LOSSES, CURVES, hardware=Hardware(), method=WANDA)
    assert found.uniform_loss == 5.0
    assert (found.division.loss, found.budget) == (2.5, 200)
    assert "50.0% of uniform's" in str(found)


def test_a_later_curve_of_one_block_wins() -> None:
    dear = curve("layers.0.*", 200, at25=60, at50=100, at75=500)
    costs = CostCurves((*CURVES.curves, dear))
    found = divide_curves(LOSSES, costs, hardware=Hardware(), method=WANDA)
    assert found.overrides[0].settings["kept_fraction"] == 0.5


def test_overrides_survive_their_file(tmp_path: Any) -> None:
    found = divide_curves(LOSSES, CURVES, hardware=Hardware(), method=WANDA).overrides
    write_overrides(tmp_path / "o.toml", found)
    read = read_overrides(tmp_path / "o.toml")
    assert [(o.pattern, o.settings) for o in read] == [(o.pattern, o.settings) for o in found]
    with pytest.raises(InputError, match="twice"):
        write_overrides(tmp_path / "o.toml", (*found, *found))


def test_candidates_are_the_points_at_the_rank_share_and_fractions_of_the_run() -> None:
    points = [CostPoint(kept, rank, {"cycles": 1}) for kept in (0.3, 0.5) for rank in (0, 0.0625)]
    costs = CostCurves((CostCurve("up_proj", {"cycles": 2}, tuple(points)),))
    sslc = load_method("sslc", {})
    of = {
        tuple(settings): candidates(
            NAMES[:1], costs, hardware=build(Hardware, settings, "h"), method=sslc
        )[NAMES[0]]
        for settings in ({}, {"fractions": [0.3]}, {"rank_shares": [0, 0.0625]})
    }
    assert of[()] == (Share(0.3, 0.0625), Share(0.5, 0.0625))
    assert of[("fractions",)] == (Share(0.3, 0.0625), Share(0.5, 0.0625))  # the run's stays
    assert len(of[("rank_shares",)]) == 4


def test_grid_has_the_share_of_the_run() -> None:
    method = load_method("sslc", {"kept_fraction": 0.47})
    grid = Hardware(fractions=(0.3,), rank_shares=(0.0, 0.1)).grid(method)
    assert {*grid} == {
        *(Share(kept, rank) for kept in (0.3, 0.47) for rank in (0.0, 0.1)), Share(0.47, 0.0625),
    }  # fmt: skip


def test_share_changes_nothing_else() -> None:
    method = load_method("sslc", {"iterations": 7, "value_bits": 8})
    changed = with_share(method, Share(0.3, 0.1))
    assert changed == load_method(
        "sslc", {"iterations": 7, "value_bits": 8, "kept_fraction": 0.3, "rank_share": 0.1}
    )


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"budget": 0}, "above 0"),
        ({"budget": True}, "above 0"),
        ({"budget": "much"}, "above 0"),
        ({"budget": 5, "share_of_dense": 0.5}, "give one"),
        ({"fractions": [0.3, 2]}, r"shares in \[0, 1\]"),
        ({"fractions": []}, r"shares in \[0, 1\]"),
        ({"fractions": "half"}, r"shares in \[0, 1\]"),
        ({"rank_shares": [None]}, r"shares in \[0, 1\]"),
        ({"loss": "squared"}, "relative, absolute"),
        ({"gap": 1}, r"\[0, 1\)"),
        ({"costs": "cycles"}, "'costs'"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        build(Hardware, settings, "allocation hardware")


@pytest.mark.parametrize(
    ("hardware", "method", "sentence"),
    [
        (Hardware(cost="seconds"), WANDA, "seconds"),
        (Hardware(fractions=(0.4,)), WANDA, "no point at 0.4"),
        (Hardware(budget=100), WANDA, "below 120"),
        (Hardware(), load_method("wanda", {"kept_fraction": 0.4}), "share_of_dense"),
        (Hardware(), load_method("sslc", {}), "no point with rank share 0.0625; it has 0"),
    ],
)
def test_curves_that_do_not_go_with_the_run_are_refused_before_anything_is_measured(
    hardware: Hardware, method: Any, sentence: str
) -> None:
    def checked() -> None:
        among = candidates(NAMES, CURVES, hardware=hardware, method=method)
        check_budget(among, CURVES, hardware=hardware, method=method)

    with pytest.raises(InputError, match=sentence):
        checked()


@pytest.mark.parametrize(
    ("name", "settings", "share", "sentence"),
    [
        ("wanda", {"group": "2:4"}, Share(0.5), "fixes what S keeps"),
        ("sslc", {"rank": 8}, Share(0.5, 0.1), "a fixed rank"),
        ("wanda", {}, Share(0.5, 0.1), "no rank share"),
    ],
)
def test_methods_without_a_share_to_divide_are_refused(
    name: str, settings: dict[str, Any], share: Share, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        share_settings(load_method(name, settings), share)


def test_projection_without_a_curve_is_named() -> None:
    with pytest.raises(InputError, match=r"none for layers\.0\.mlp\.down_proj"):
        CURVES.of("layers.0.mlp.down_proj")
