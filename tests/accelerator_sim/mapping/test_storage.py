"""What stays on chip: slots, residency and what does not fit, by hand."""

from accelerator_sim.machine.hardware import Buffer, TileChoice
from accelerator_sim.mapping.storage import Need, storage_of
from accelerator_sim.planning.planner import plan_projection
from tests.accelerator_sim.machines import projection, small_machine, with_rows

# 4 rows keep 2 of 6 columns; 2 tokens; 8-bit values, a bitmap and accumulators of 4 bytes.
ITEM = projection(with_rows([2, 2, 2, 2], 6), tokens=2)


def test_storage_of_one_tile_by_hand() -> None:
    """Weights: 8 values and 24 places are 11 bytes. Outputs: 4 rows x 2 tokens of 4 bytes."""
    machine = small_machine(tile=TileChoice(4, 6, 2), weight_buffer=Buffer(30, 2))
    storage = storage_of(plan_projection(ITEM, machine).program)
    assert storage.needs == (Need("weights", 11, 15), Need("accumulators", 32, 1 << 19))
    assert storage.fits
    assert storage.activations_resident
    assert storage.outputs_resident


def test_storage_of_activations_beyond_a_slot_are_not_resident() -> None:
    """12 inputs of a byte in slots of 8; a tile of 3 columns needs 6."""
    machine = small_machine(tile=TileChoice(4, 3, 2), activation_buffer=Buffer(16, 2))
    storage = storage_of(plan_projection(ITEM, machine).program)
    assert not storage.activations_resident
    assert Need("activations", 6, 8) in storage.needs


def test_storage_of_factors_halve_the_weight_slots_beside_s() -> None:
    """U of a 4x6 tile with rank 2 is 8 bytes; slots of 16 are halved."""
    item = projection(with_rows([2, 2, 2, 2], 6), rank=2, tokens=2)
    machine = small_machine(
        tile=TileChoice(4, 6, 2), schedule="overlapped", weight_buffer=Buffer(64, 2)
    )
    needs = storage_of(plan_projection(item, machine).program).needs
    assert needs[0] == Need("factors", 8, 16)
    assert needs[1].available == 16
