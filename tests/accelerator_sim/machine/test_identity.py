import pytest

from accelerator_sim.machine.catalog import load_accelerator, load_cost_table
from accelerator_sim.machine.identity import cost_identity, machine_identity


def test_machine_identity_preset_names_only_what_differs() -> None:
    changed = load_accelerator("vitcod", {"lines": 32, "dram.efficiency": 0.8})
    assert machine_identity(changed).label == "vitcod + dram.efficiency=0.8, lines=32"
    assert machine_identity(load_accelerator("vitcod")).label == "vitcod"


def test_machine_identity_override_to_the_preset_s_own_value_is_the_preset() -> None:
    preset = load_accelerator("vitcod")
    same = machine_identity(load_accelerator("vitcod", {"lines": preset.lines}))
    assert same == machine_identity(preset)


@pytest.mark.parametrize(
    "change", [{"bits.weight": 4}, {"dram.efficiency": 0.5}, {"softmax_elements_per_cycle": 32}]
)
def test_machine_identity_every_field_changes_the_hash(change: dict[str, float]) -> None:
    before = machine_identity(load_accelerator("array-64x64"))
    after = machine_identity(load_accelerator("array-64x64", change))
    assert before.sha256 != after.sha256


def test_cost_identity_names_the_table() -> None:
    assert cost_identity(load_cost_table()).name == "28nm"
