"""Small typed results of cycles, from simulated blocks, for tests of tables and figures."""

from collections.abc import Sequence
from typing import Any

from accelerator_sim.machine.catalog import load_cost_table
from accelerator_sim.machine.costs import CostTable
from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.machine.identity import cost_identity, machine_identity
from accelerator_sim.models.cycles_result import CyclesResult
from tests.accelerator_sim.machines import block_by, projection, random_mask, small_machine
from tests.workloads.results.results import PROVENANCE
from workloads.masks.packed import SparseLowRankGemm
from workloads.results.identity import Provenance, Subject
from workloads.results.kinds import CyclesIdentity, WorkloadIdentity
from workloads.results.workload import WorkloadHash

SUBJECT = Subject("tiny", "wanda", 0.5, "real", "ab" * 32, "F32", {"kept_fraction": 0.5})


def cycles_of(
    model: Any,
    blocks: Sequence[Sequence[SparseLowRankGemm]],
    *,
    machine: Accelerator | None = None,
    costs: CostTable | None = None,
    subject: Subject = SUBJECT,
    of_blocks: int | None = None,
    origin: Provenance = PROVENANCE,
) -> CyclesResult:
    """Cycles of some blocks, identity and all."""
    machine, costs = machine or small_machine(), costs or load_cost_table()
    work = WorkloadHash()
    for index, block in enumerate(blocks):
        for item in block:
            work.add(index, item)
    cycles = tuple(block_by(model, block, machine, costs=costs) for block in blocks)
    tokens = blocks[0][0].gemm.tokens
    workload = WorkloadIdentity(work.hexdigest(), len(blocks), of_blocks, tokens)
    identity = CyclesIdentity(
        subject, workload, machine_identity(machine), cost_identity(costs), model
    )
    return CyclesResult(identity, origin, cycles)


def cycles(model: Any, *densities: float, **options: Any) -> CyclesResult:
    """Blocks of one 8x16 projection of rank 2, a block for each density."""
    blocks = [[projection(random_mask(8, 16, density, seed=1), rank=2)] for density in densities]
    return cycles_of(model, blocks, **options)
