"""Cycles of a model that is compressed for it: the part of table 4 that needs the compressor."""

from accelerator_sim.machine.catalog import load_accelerator, load_cost_table
from accelerator_sim.machine.identity import cost_identity, machine_identity
from accelerator_sim.models.by_name import Model
from accelerator_sim.models.cycles_result import CyclesResult
from accelerator_sim.operations import simulate
from reports.reproduce.cache import cached
from reports.reproduce.cells import CellModel
from reports.reproduce.recipes import Recipe
from reports.reproduce.results import CellCycles, CellCyclesIdentity
from reports.reproduce.study import Study


def model_cycles(study: Study) -> list[CyclesResult]:
    """Cycles of the study's model, compressed by SSLC, by each of the study's cycle models.

    Args:
        study: Model, limits and simulation.

    Raises:
        InputError: The model cannot be compressed, or no tile fits the machine.
    """
    model = CellModel(study, Recipe("sslc"), study.progress)
    cells = [_cell(model, name) for name in study.simulation.cycle_models]
    model.discard()
    return [cell.cycles for cell in cells]


def _cell(model: CellModel, name: Model) -> CellCycles:
    """Cycles by one model, finished or simulated now."""
    how, blocks = model.study.simulation, model.study.limits.blocks
    machine, costs = load_accelerator(how.accelerator), load_cost_table()
    identity = CellCyclesIdentity(
        model.identity, blocks, how.tokens, how.context, machine_identity(machine),
        cost_identity(costs), name,
    )  # fmt: skip

    def compute() -> CellCycles:
        simulation = simulate(
            model.artifact, machine, models=name, tokens=how.tokens, blocks=blocks,
            context=how.context, costs=costs, progress=model.progress,
        )  # fmt: skip
        cycles = simulation[name]
        return CellCycles(identity, cycles.provenance, cycles)

    return cached(model.study.directory, CellCycles, identity=identity, compute=compute)
