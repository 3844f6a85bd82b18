"""The event model compiled: the same results as ``event``, every number, some hundred times
as fast.

Fills the records that ``compiled_kernel`` runs on, and reads them out. Durations come from
``tables``, as for the event engine; the order of events is that of ``docs/event_model.md``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from accelerator_sim.machine.hardware import Limit
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.mapping.timing import refuse_long_transfers
from accelerator_sim.simulation import compiled_kernel as kernel
from accelerator_sim.simulation import compiled_state as machine_state
from accelerator_sim.simulation.accounting import event_result
from accelerator_sim.simulation.compiled_alone import run_alone
from accelerator_sim.simulation.compiled_alone_state import runs_alone
from accelerator_sim.simulation.conventions import DENSER, NEVER, WAITS, closed_gates, limit
from accelerator_sim.simulation.result import EventResult
from accelerator_sim.simulation.tables import Tables, build_tables
from workloads.support.errors import InputError


@dataclass(frozen=True)
class EngineTimes:
    """What a run noted of one engine (see ``accounting.EngineTimes``)."""

    busy: int
    fill: int
    waits: Mapping[str, int]
    last_end: int


def run_compiled(plan: Plan) -> EventResult:
    """Run a plan on the compiled event model.

    Args:
        plan: From ``candidates``.

    Returns:
        Cycles, accounts, traffic and action counts, equal to those of ``run_event``.

    Raises:
        InputError: A time of the run may not fit 64 bits.
        RuntimeError: The machine stopped with outputs missing: a defect of this program.
    """
    tables = build_tables(plan)
    settings = _settings(plan, tables)
    _refuse_long_runs(plan, tables, settings)
    run = _run_alone if runs_alone(tables) else _run_both
    written, last_arrival, denser, sparser = run(tables, settings)
    blocks = len(tables.pending)
    if written != blocks:
        raise RuntimeError(
            f"the machine stopped with {blocks - written} of {blocks} output blocks missing"
        )
    return event_result(plan, last_arrival, denser=denser, sparser=sparser)


_Outcome = tuple[int, int, EngineTimes, EngineTimes]
"""Output blocks written, when the last one was, and what was noted of the two engines."""


def _run_both(tables: Tables, settings: machine_state.Settings) -> _Outcome:
    state = _state(tables, settings)
    kernel.run(state)
    machine = _values(state.machine)[0]
    denser, sparser = (_times(engine) for engine in _values(state.engines))
    return machine["written"], machine["last_arrival"], denser, sparser


def _run_alone(tables: Tables, settings: machine_state.Settings) -> _Outcome:
    port, engine = run_alone(tables, settings)
    alone, other = _times(_values(engine)[0]), EngineTimes(0, 0, dict.fromkeys(WAITS, 0), 0)
    machine = _values(port)[0]
    engines = (alone, other) if settings.parts[DENSER] else (other, alone)
    return machine["granted"], machine["last_arrival"], *engines


def _refuse_long_runs(plan: Plan, tables: Tables, settings: machine_state.Settings) -> None:
    """Whether cycles and ticks fit 64 bits even if nothing ever overlapped."""
    transfers = 2 * settings.tiles + len(tables.write_backs)
    refuse_long_transfers(tables.largest_transfer, transfers, plan.program.accelerator)
    stripes = tables.transferred // settings.stripe_bytes + transfers
    latency = max(settings.latency, settings.write_latency)
    wait = latency + 2 * settings.handoff + settings.pipeline + 2
    cycles = stripes * settings.stripe_ticks // settings.scale + tables.cycles
    if max(cycles + 3 * transfers * wait, settings.scale) >= NEVER:
        raise InputError(
            f"{plan.program.tiled.gemm.name} on {plan.program.accelerator.name}: the compiled "
            "model counts cycles and DRAM ticks in 64 bits, which this machine could exceed: use "
            "the model event"
        )


def _values(records: machine_state.Records) -> list[dict[str, int]]:
    """Records as dictionaries of Python's numbers, all fields at once."""
    names = records.dtype.names or ()
    return [dict(zip(names, record, strict=True)) for record in records.tolist()]


def _times(engine: Mapping[str, int]) -> EngineTimes:
    return EngineTimes(
        busy=engine["busy"],
        fill=engine["fill"],
        waits={reason: engine[reason] for reason in WAITS},
        last_end=engine["last_end"],
    )


def _settings(plan: Plan, tables: Tables) -> machine_state.Settings:
    accelerator, storage = plan.program.accelerator, plan.storage
    dram, rate = accelerator.dram, accelerator.bytes_per_cycle
    return machine_state.Settings(
        main=tables.main,
        tiles=len(tables.tiles) - 1,
        parts=tables.engine_parts,
        scale=rate.numerator,
        stripe_bytes=dram.stripe_bytes,
        stripe_ticks=dram.stripe_bytes * rate.denominator,
        latency=accelerator.read_latency_cycles,
        write_latency=accelerator.write_latency_cycles,
        handoff=accelerator.handoff_cycles,
        pipeline=accelerator.pipeline_cycles,
        link_width=accelerator.link_elements_per_cycle,
        resident=int(storage.activations_resident),
        weight_slots=storage.weight_slots,
        input_slots=storage.input_slots,
        output_slots=storage.output_slots,
        group_blocks=tables.group_blocks,
        one_by_one=int(dram.limits_requests),
        requests_per_cycle=limit(dram.requests_per_cycle),
        outstanding=_outstanding(dram.outstanding_requests, len(tables.tiles)),
        parts_on_way=2 * (accelerator.pipeline_cycles + 2) + 2,
        ticks_to_cycles=1 / rate.numerator,
        bytes_to_stripes=1 / dram.stripe_bytes,
    )


def _outstanding(requests: Limit, tiles: int) -> int:
    """Credits of a stream, no more than it has requests; 0: no limit."""
    return 0 if requests == "unlimited" else min(requests, 2 * tiles)


def _state(tables: Tables, settings: machine_state.Settings) -> machine_state.State:
    """A machine before its first cycle; what starts otherwise than with zeros is the kernel's."""
    blocks = len(tables.pending)
    return machine_state.State(
        settings=settings,
        tiles=tables.tiles,
        write_backs=tables.write_backs,
        machine=np.zeros(1, dtype=machine_state.MACHINE),
        engines=np.zeros(2, dtype=machine_state.ENGINE),
        lanes=np.zeros(4, dtype=machine_state.QUEUE),
        streams=np.zeros(2, dtype=machine_state.STREAM),
        halves=np.zeros(settings.tiles, dtype=np.int8),
        weights_at=np.empty(settings.tiles, dtype=np.int64),
        blocks=_filled(blocks, machine_state.BLOCK, pending=tables.pending),
        groups=np.zeros(blocks // tables.group_blocks + 1, dtype=machine_state.GROUP),
        tokens=_tokens(tables),
        gates=closed_gates(len(tables.thin_parts)),
        arrivals=np.empty(tables.arrivals, dtype=np.int64),
        sharers=tables.sharers.copy(),
        crossings=np.zeros(2, dtype=machine_state.CROSSING),
        credits=np.zeros((2, machine_state.ring(settings.outstanding + 1)), dtype=np.int64),
        results=np.zeros(
            (2, machine_state.ring(settings.pipeline + 2)), dtype=machine_state.RESULT
        ),
    )


def _tokens(tables: Tables) -> machine_state.Records:
    counts = {"thin_parts": tables.thin_parts, "wide_parts": tables.wide_parts}
    if len(tables.users):
        counts["users"] = tables.users
    return _filled(len(tables.thin_parts), machine_state.TOKENS, **counts)


def _filled(
    length: int, kind: np.dtype[np.void], **fields: machine_state.Whole
) -> machine_state.Records:
    """Records that are zero but for some fields."""
    records = np.zeros(length, dtype=kind)
    for name, values in fields.items():
        records[name] = values
    return records
