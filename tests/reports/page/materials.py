"""What pages are made from, small: results of every kind, and swept spaces of any size."""

import dataclasses
from typing import Any

import pyarrow as pa

from accelerator_sim.design_space.sweep_result import KNEE, Reason, SweepIdentity, SweepResult
from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.machine.identity import machine_identity
from accelerator_sim.sensitivity.changes import Change
from accelerator_sim.sensitivity.what_if_result import Cycles, Gain, WhatIfResult
from reports.stored.material import Material, Swept
from tests.accelerator_sim.machines import projection, random_mask
from tests.reports.results import cycles_of
from tests.workloads.results.results import PROVENANCE, SUBJECT, perplexity, runtime
from workloads.masks.packed import SparseLowRankGemm
from workloads.results.identity import CostIdentity, Subject
from workloads.shapes.gemm import Module

HOSTILE = "</script><img src=x onerror=alert(1)>&\"'{{7*7}}"
DENSE = Subject("tiny", "dense", 1.0, "none", "ef" * 32, "F32")
BASE = "array-64x64"


def material(subject: Subject = SUBJECT, *, sweeps: tuple[Swept, ...] = ()) -> Material:
    """Perplexities, cycles by three models, runtimes and a what-if of one compressed model."""
    blocks = [
        [_projection(0, density, "self_attn.q_proj"), _projection(1, density, "mlp.up_proj")]
        for density in (0.5, 0.4, 0.3)
    ]
    cycles = [
        cycles_of(model, blocks, subject=subject) for model in ("published", "roofline", "event")
    ]
    identity = dataclasses.replace(cycles[2].identity, cycle_model="compiled")
    base = Cycles(200.0, 100.0)
    gains = (
        Gain(Change("lines", "doubled", {"lines": 4}), Cycles(150.0, 80.0), Cycles(150.0, 80.0)),
        Gain(Change("gather", "ideal", {}), base, base),
    )
    dense = dataclasses.replace(DENSE, model=subject.model)
    measured = runtime(subject=subject)
    return Material(
        (
            perplexity(subject, 25.0),
            perplexity(dense, 20.0),
            *cycles,
            measured,
            WhatIfResult(identity, PROVENANCE, base, gains),
            *(swept.result for swept in sweeps),
        ),
        sweeps=sweeps,
    )


def _projection(seed: int, density: float, name: str) -> SparseLowRankGemm:
    made = projection(random_mask(8, 16, density, seed=seed), rank=2)
    module: Module = "MHA" if name.startswith("self_attn") else "FFN"
    return dataclasses.replace(made, gemm=dataclasses.replace(made.gemm, name=name, module=module))


def swept(points: int, *, work: bool = False) -> Swept:
    """A space of lines and bandwidth whose front is its first ten points."""
    rows: list[dict[str, Any]] = [
        {
            "point": number,
            "lines": 16 + number % 97,
            "dram.bytes_per_second": 1e9 * (1 + number // 97),
            **({"tokens": 1 + number % 2} if work else {}),
            "feasible": True,
            "reason": None,
            "seconds": 1e-4 * (1 + number % 10 if number < 10 else 12 + number % 89),
            "energy_pj": 1e6 * (11 - number if number < 10 else 12 + number % 83),
        }
        for number in range(points)
    ]
    hidden = ("feasible", "reason")
    front = [
        {**{k: v for k, v in row.items() if k not in hidden}, KNEE: row["point"] == 4}
        for row in rows[:10]
    ]
    axes = ("lines", "dram.bytes_per_second", *(("tokens",) if work else ()))
    identity = SweepIdentity(
        "cd" * 32,
        machine_identity(load_accelerator(BASE)),
        CostIdentity("28nm", "ab" * 32),
        {"model": "tiny", "masks": "synthetic"},
        "compiled",
        axes,
        ("seconds", "energy_pj"),
        0.0,
        {},
    )
    reasons: tuple[Reason, ...] = ()
    result = SweepResult(identity, PROVENANCE, points, reasons, 0, tuple(front))
    return Swept(result, pa.Table.from_pylist(rows))
