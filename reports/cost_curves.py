"""Cost curves from the simulator: what a model's projections cost at every share they may keep.

Masks are synthetic, a Wanda-like one for each shape and share: what a real mask costs is known only
when it is made, and a budget is divided before.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerator_sim.machine.catalog import DEFAULT_COSTS, load_cost_table, named_machine
from accelerator_sim.machine.costs import CostTable
from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.machine.identity import changes_of, machine_identity
from accelerator_sim.models.by_name import Model
from accelerator_sim.models.cycles import Run, with_energy
from accelerator_sim.models.energy import check_technology
from accelerator_sim.projection import simulate_projection
from sslc.allocation.kinds import read_allocation
from sslc.allocation.loss_curves import fits
from sslc.allocation.shares import PARAMETERS, Hardware, Share, with_share
from sslc.methods.base import Method
from sslc.methods.registry import load_method
from sslc.methods.rounded import precision_of
from sslc.model.blocks import BlockwiseModel
from sslc.model.checkpoint import Checkpoint
from sslc.model.opening import open_checkpoint
from workloads.masks.packed import SparseLowRankGemm
from workloads.masks.synthetic import wanda_lognormal_mask
from workloads.results.codec import to_json
from workloads.results.cost_curves import CostCurve, CostCurves, CostPoint
from workloads.shapes.experts import expert_of
from workloads.shapes.gemm import MOST_TOKENS, Gemm
from workloads.shapes.transformer import PROJECTION_MODULES
from workloads.support.errors import InputError, check_count
from workloads.support.progress import Progress, silent

Costs = dict[str, float]
_MODELS: tuple[Model, ...] = ("compiled",)


def simulated_cost_curves(
    checkpoint: Checkpoint,
    method: Method,
    *,
    shares: Sequence[Share],
    accelerator: str | Path | Accelerator,
    tokens: int = 1,
    overrides: Mapping[str, Any] | None = None,
    costs: str | Path = DEFAULT_COSTS,
    seed: int = 0,
    progress: Progress = silent,
) -> CostCurves:
    """Simulate every projection of a block at every share: cycles, energy, DRAM bytes, parameters.

    Projections of one shape cost the same. The blocks of a model are alike, so a curve is of the
    last part of a name.

    Args:
        checkpoint: The dense model.
        method: Says how many nonzeros and which rank a share means for a shape.
        shares: Those whose budget does not fit a shape are left out there.
        accelerator: As ``accelerator_sim.simulate``.
        tokens: Per product.
        overrides: Values of the machine by dotted key.
        costs: Table of energies, by name or file.
        seed: Of the synthetic masks.
        progress: Told after every simulated share.

    Raises:
        InputError: A name or value cannot be used, no tile fits the machine, no share fits a shape,
            or the model has experts, whose tokens are known only after calibration.
    """
    check_count("tokens", tokens, MOST_TOKENS)
    machine, table = named_machine(accelerator, overrides), load_cost_table(costs)
    check_technology(table, machine.dram.technology)
    methods = {share: with_share(method, share) for share in shares}
    shapes = _shapes(checkpoint)
    distinct = list(dict.fromkeys(shapes.values()))
    made: dict[tuple[int, int], CostCurve] = {}
    stage = f"cost curves ({machine.name})"
    for index, (m, n) in enumerate(distinct):
        name = next(name for name, shape in shapes.items() if shape == (m, n))
        work = _Work(Gemm(name, PROJECTION_MODULES[name], m, n, tokens), machine, table, seed)

        def told(done: int, index: int = index) -> None:
            progress(stage, index * len(methods) + done, len(distinct) * len(methods))

        made[m, n] = _curve(work, methods, told)
    progress(stage, len(distinct) * len(methods), len(distinct) * len(methods))
    about = {
        "machine": to_json(machine_identity(machine, changes_of(accelerator, machine, overrides))),
        "cost_table": table.name,
        "cycle_model": "compiled",
        "masks": f"synthetic (Wanda-like, seed {seed})",
        "tokens": tokens,
    }
    curves = (CostCurve(name, made[mn].dense, made[mn].points) for name, mn in shapes.items())
    return CostCurves(tuple(curves), about)


def asked_cost_curves(
    model: str,
    method: str,
    settings: Mapping[str, Any],
    *,
    allocation: str,
    allocation_settings: Mapping[str, Any],
    accelerator: str | Path,
    tokens: int,
    overrides: Mapping[str, Any] | None = None,
    costs: str | Path = DEFAULT_COSTS,
    progress: Progress = silent,
) -> CostCurves:
    """Cost curves as the command line asks for them: ``simulated_cost_curves`` of names.

    Args:
        model: As ``sslc.compress``.
        method: Its name.
        settings: Of the method, kept fraction and rank share among them.
        allocation: Its name.
        allocation_settings: Of the allocation; they say at which shares.
        accelerator: As ``simulated_cost_curves``, and so the others.
        tokens: Per product.
        overrides: Of the machine.
        costs: Table of energies.
        progress: Told after every simulated share.

    Raises:
        InputError: As there; or the allocation looks at no machine.
    """
    divided = read_allocation(allocation, allocation_settings)
    if not isinstance(divided, Hardware):
        raise InputError(f"--accelerator is for --allocation hardware, not for {allocation}")
    if divided.cost == PARAMETERS:
        raise InputError(f"cost={PARAMETERS} is that of no machine; leave --accelerator out")
    named_machine(accelerator, overrides)  # refused before a model is opened
    chosen = load_method(method, settings)
    return simulated_cost_curves(
        open_checkpoint(model, progress), chosen, shares=divided.grid(chosen),
        accelerator=accelerator, tokens=tokens, overrides=overrides, costs=costs,
        progress=progress,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Work:
    """One product on a machine."""

    gemm: Gemm
    machine: Accelerator
    table: CostTable
    seed: int


def _shapes(checkpoint: Checkpoint) -> dict[str, tuple[int, int]]:
    """m and n by the last part of a projection's name."""
    shapes: dict[str, tuple[int, int]] = {}
    for name, linear in BlockwiseModel(checkpoint).linears().items():
        if expert_of(name) is not None:
            raise InputError(
                "cost curves: tokens of experts are known only after calibration; write a file of "
                "cost curves of your own (--cost-curves)"
            )
        last = name.rpartition(".")[2]
        shapes[last] = (linear.out_features, linear.in_features)
    return shapes


def _curve(work: _Work, methods: Mapping[Share, Method], told: Callable[[int], None]) -> CostCurve:
    gemm = work.gemm
    dense: Costs = {}
    points = []
    for done, (share, method) in enumerate(methods.items()):
        told(done)
        if fits(method, gemm.m, gemm.n):
            found = _simulated(work, method, dense=not dense)
            dense = found.get("dense") or dense
            points.append(CostPoint(*share, found["sum"]))
    if not points:
        raise InputError(f"cost curves: no share of {gemm.name} fits its shape")
    return CostCurve(gemm.name, dense, tuple(points))


def _simulated(work: _Work, method: Method, *, dense: bool) -> dict[Run, Costs]:
    """Costs of a product at a method's budget; and of the dense one, if asked."""
    gemm = work.gemm
    rank, nonzeros = method.budget(gemm.m, gemm.n)
    stored = precision_of(method).storage("F32", full=nonzeros == gemm.parameters).loaded
    mask = wanda_lognormal_mask(gemm.m, gemm.n, nonzeros, seed=work.seed)
    runs: tuple[Run, ...] = ("dense", "sum") if dense else ("sum",)
    product = SparseLowRankGemm(gemm, mask, rank, stored)
    found = simulate_projection(product, work.machine, models=_MODELS, runs=runs)["compiled"]
    energies = with_energy(found, work.machine, table=work.table).energy or {}
    kept: dict[Run, int] = {"dense": gemm.parameters, "sum": nonzeros + rank * (gemm.m + gemm.n)}
    results = {"dense": found.dense_run, "sum": found.sum_run}
    return {
        run: {
            "cycles": float(result.cycles),
            "energy_pj": energies[run].total_pj,
            "dram_bytes": float(result.traffic.total),
            PARAMETERS: float(kept[run]),
        }
        for run in runs
        if (result := results[run]) is not None
    }
