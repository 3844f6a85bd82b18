"""The event model compiled: the same results as ``event``, every number, some hundred times
as fast.

Fills the records that ``compiled_kernel`` runs on, and reads them out. Durations come from
``tables``, as for the event engine; the order of events is that of ``docs/event_model.md``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.mapping.tiling import Counts
from accelerator_sim.mapping.timing import ticks_per_cycle
from accelerator_sim.simulation import compiled_kernel as kernel
from accelerator_sim.simulation import compiled_state as machine_state
from accelerator_sim.simulation.accounting import event_result
from accelerator_sim.simulation.conventions import (
    DENSER,
    ENGINES,
    NEVER,
    SPARSER,
    WAITS,
    closed_gates,
    limit,
)
from accelerator_sim.simulation.result import EventResult
from accelerator_sim.simulation.tables import StreamTable, Tables, build_tables
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
    accelerator = plan.program.accelerator
    latencies = (accelerator.read_latency_cycles, accelerator.write_latency_cycles)
    if max(ticks_per_cycle(accelerator), *latencies) >= NEVER:
        raise _too_long(plan)
    state = _state(plan, build_tables(plan))
    if kernel.longest_run(state) >= NEVER:
        raise _too_long(plan)
    kernel.run(state)
    machine = state.machine[0]
    if machine["written"] != len(state.blocks):
        raise RuntimeError(
            f"the machine stopped with {len(state.blocks) - machine['written']} of "
            f"{len(state.blocks)} output blocks missing"
        )
    denser, sparser = (_times(engine) for engine in state.engines)
    return event_result(plan, int(machine["last_arrival"]), denser=denser, sparser=sparser)


def _too_long(plan: Plan) -> InputError:
    return InputError(
        f"{plan.program.tiled.gemm.name} on {plan.program.accelerator.name}: the compiled model "
        "counts cycles and DRAM ticks in 64 bits, which this machine could exceed: use the model "
        "event"
    )


def _times(engine: np.void) -> EngineTimes:
    return EngineTimes(
        busy=int(engine["busy"]),
        fill=int(engine["fill"]),
        waits={reason: int(engine[reason]) for reason in WAITS},
        last_end=int(engine["last_end"]),
    )


def _state(plan: Plan, tables: Tables) -> machine_state.State:
    """A machine before its first cycle."""
    scale = ticks_per_cycle(plan.program.accelerator)
    main = len(tables.streams[0].parts)
    both = main + len(tables.streams[1].parts)
    engines = np.zeros(2, dtype=machine_state.ENGINE)
    for moment in ("end", "seen_at", "ready"):
        engines[moment] = NEVER
    for number in range(len(ENGINES)):
        parts = (np.count_nonzero(table.cycles[number]) for table in tables.streams)
        engines["left"][number] = sum(parts)
    streams = np.zeros(2, dtype=machine_state.STREAM)
    streams["end"] = (main, both)
    streams["weight_slots"] = plan.storage.weight_slots
    streams["weights_next"] = streams["inputs_next"] = (0, main)
    lanes = np.zeros(4, dtype=machine_state.QUEUE)
    lanes["next"] = (0, main, 0, main)
    lanes["end"] = (main, both, main, both)
    arrivals = np.full(tables.arrivals, NEVER, dtype=np.int64)
    arrivals[-1] = 0
    return machine_state.State(
        machine=_machine(plan, tables, scale),
        engines=engines,
        lanes=lanes,
        streams=streams,
        tiles=_tiles(tables.streams, scale),
        blocks=_blocks(tables, scale),
        groups=_groups(tables),
        tokens=_tokens(tables),
        gates=closed_gates(len(tables.thin_parts)),
        arrivals=arrivals,
        sharers=tables.sharers.copy(),
        crossings=np.zeros(2, dtype=machine_state.CROSSING),
        credits=_credits(plan, both),
        results=np.zeros(
            (2, plan.program.accelerator.pipeline_cycles + 1), dtype=machine_state.RESULT
        ),
    )


def _machine(plan: Plan, tables: Tables, scale: int) -> NDArray[np.void]:
    accelerator = plan.program.accelerator
    machine = np.zeros(1, dtype=machine_state.MACHINE)
    machine["scale"] = scale
    machine["latency"] = accelerator.read_latency_cycles
    machine["write_latency"] = accelerator.write_latency_cycles
    machine["handoff"] = accelerator.handoff_cycles
    machine["freed"] = 1
    machine["pipeline"] = accelerator.pipeline_cycles
    machine["resident"] = plan.storage.activations_resident
    machine["input_slots"] = plan.storage.input_slots
    machine["output_slots"] = plan.storage.output_slots
    machine["next_join"] = NEVER
    machine["joined_at"] = -1
    machine["one_by_one"] = accelerator.dram.limits_requests
    machine["requests_per_cycle"] = limit(accelerator.dram.requests_per_cycle)
    machine["group_blocks"] = tables.group_blocks
    return machine


def _credits(plan: Plan, tiles: int) -> machine_state.Whole:
    """Room for the cycles from which the credits of each stream are back; 0 columns: no limit."""
    outstanding = plan.program.accelerator.dram.outstanding_requests
    kept = 0 if outstanding == "unlimited" else min(outstanding, 2 * tiles + 1)
    return np.zeros((2, kept), dtype=np.int64)


def _tiles(streams: tuple[StreamTable, StreamTable], scale: int) -> machine_state.Tiles:
    """Both streams in one; a stream that stands alone is not copied."""
    both = [table for table in streams if len(table.parts)] or [streams[0]]

    def joined(field: Callable[[StreamTable], Counts]) -> Counts:
        return field(both[0]) if len(both) == 1 else np.concatenate([field(t) for t in both])

    weight_cycles, weight_ticks = _pair(joined(lambda table: table.weight_ticks), scale)
    input_cycles, input_ticks = _pair(joined(lambda table: table.input_ticks), scale)
    return machine_state.Tiles(
        factor=joined(lambda table: table.factor),
        wide=joined(lambda table: table.wide),
        follows=np.concatenate([streams[0].follows[:-1], streams[1].follows]),
        weight_cycles=weight_cycles,
        weight_ticks=weight_ticks,
        input_cycles=input_cycles,
        input_ticks=input_ticks,
        input_key=joined(lambda table: table.input_key),
        holder=joined(lambda table: table.holder),
        output=joined(lambda table: table.output),
        gate=joined(lambda table: table.gate),
        target=joined(lambda table: table.target),
        parts=joined(lambda table: table.parts).copy(),
        denser=joined(lambda table: table.cycles[DENSER]),
        sparser=joined(lambda table: table.cycles[SPARSER]),
        link=joined(lambda table: table.link_cycles),
        weights_at=np.full(len(weight_cycles), NEVER, dtype=np.int64),
    )


def _pair(ticks: Counts, scale: int) -> tuple[Counts, Counts]:
    """Whole cycles, and ticks of the next; numpy's own divmod takes three times as long."""
    cycles = ticks // scale
    return cycles, ticks - cycles * scale


def _blocks(tables: Tables, scale: int) -> NDArray[np.void]:
    blocks = np.zeros(len(tables.pending), dtype=machine_state.BLOCK)
    blocks["pending"] = tables.pending
    blocks["cycles"], blocks["ticks"] = _pair(tables.write_back_ticks, scale)
    return blocks


def _groups(tables: Tables) -> NDArray[np.void]:
    groups = np.zeros(len(tables.pending) // tables.group_blocks + 1, dtype=machine_state.GROUP)
    groups["opened_at"][:-1] = NEVER
    groups["unwritten"] = tables.group_blocks
    return groups


def _tokens(tables: Tables) -> NDArray[np.void]:
    tokens = np.zeros(len(tables.thin_parts), dtype=machine_state.TOKENS)
    tokens["users"] = tables.users if len(tables.users) else 0
    tokens["thin_parts"] = tables.thin_parts
    tokens["wide_parts"] = tables.wide_parts
    return tokens
