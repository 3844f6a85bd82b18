"""The event model: a program run on simpy, cycle by cycle where something happens.

The readable reference of the simulator. Each cycle in which an operation ends has four phases, in
this order whatever the order in which Python scheduled the events: ends; hand-offs and freed
slots; engine starts (denser before sparser); DRAM grants. ``docs/event_model.md`` has the details.
"""

from typing import Any

import numpy as np
import simpy

from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.machine.hardware import Dram as DramFields
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.mapping.timing import dram_ticks, link_cycles, ticks_per_cycle
from accelerator_sim.simulation.accounting import event_result
from accelerator_sim.simulation.conventions import (
    DENSER,
    NEVER,
    SPARSER,
    closed_gates,
    complete_gate,
    free_gate,
    limit,
)
from accelerator_sim.simulation.loading import Arbiter, Inputs, Loader, Tiles
from accelerator_sim.simulation.port import FACTORS, WEIGHTS, Dram, Link, Observe
from accelerator_sim.simulation.result import EventResult
from accelerator_sim.simulation.tables import Records, Tables, build_tables
from accelerator_sim.simulation.units import Engine, Outputs


def run_event(plan: Plan, trace: Observe | None = None) -> EventResult:
    """Run a plan on the event model.

    Args:
        plan: From ``candidates``.
        trace: Told of every operation as it is scheduled (see ``trace``).

    Returns:
        Cycles, accounts, traffic and action counts.
    """
    machine = Machine(plan)
    machine.observe(trace)
    machine.run()
    return event_result(plan, machine.cycles, denser=machine.denser, sparser=machine.sparser)


class Machine:
    """The wired units, and the phases of a cycle."""

    def __init__(self, plan: Plan):
        accelerator = plan.program.accelerator
        self._env = simpy.Environment()
        self._awake = False
        self._freed = True
        self._handoff = accelerator.handoff_cycles
        self._pipeline = accelerator.pipeline_cycles
        tables = build_tables(plan)
        self._blocks = len(tables.pending)
        self._tiles = [_tiles(records, accelerator) for records in tables.streams]
        self._gates = closed_gates(len(tables.thin_parts)).tolist()
        self._thin_parts = tables.thin_parts.tolist()
        self._wide_parts = tables.wide_parts.tolist()
        scale = ticks_per_cycle(accelerator)
        latencies = (accelerator.read_latency_cycles, accelerator.write_latency_cycles)
        self._dram = Dram(self._env, scale, latencies, self._handoff)
        self._link = Link(self._env, self._handoff, self._credit)
        never = [NEVER] * (tables.arrivals - 1)
        self._inputs = Inputs(
            [*never, 0],
            tables.users.tolist(),
            tables.sharers.tolist() or [1] * tables.arrivals,
            plan.storage.input_slots,
        )
        slots = plan.storage.weight_slots
        self._loaders = [
            Loader(stream, tiles, self._dram, slots[stream], self._inputs, self._wake)
            for stream, tiles in enumerate(self._tiles)
        ]
        self._arbiter = self._make_arbiter(accelerator.dram)
        self._outputs = self._make_outputs(tables, plan)
        lanes = list(zip(self._tiles, self._loaders, strict=True))
        self.denser = Engine(self._env, DENSER, lanes, self._link, self._part_ended)
        self.sparser = Engine(self._env, SPARSER, lanes, self._link, self._part_ended)

    def observe(self, trace: Observe | None) -> None:
        """Let every unit tell of its operations."""
        for unit in (self._dram, self._link, self.denser, self.sparser):
            unit.observe = trace

    @property
    def cycles(self) -> int:
        """Cycle in which the last output is in DRAM."""
        return self._dram.last_arrival

    def run(self) -> None:
        """Run until nothing is left.

        Raises:
            RuntimeError: The machine stopped with outputs missing: a defect of this program.
        """
        self._wake()
        self._env.run()
        if self._outputs.written != self._blocks:
            raise RuntimeError(
                f"the machine stopped at cycle {self._env.now} with "
                f"{self._blocks - self._outputs.written} of {self._blocks} output blocks missing"
            )

    def _make_arbiter(self, dram: DramFields) -> Arbiter | None:
        """None where requests are not limited: all join at once, by class."""
        if not dram.limits_requests:
            return None
        limits = (limit(dram.requests_per_cycle), limit(dram.outstanding_requests))
        return Arbiter(self._env, self._dram, self._loaders, limits, self._wake)

    def _make_outputs(self, tables: Tables, plan: Plan) -> Outputs:
        groups = np.arange(self._blocks).reshape(-1, tables.group_blocks).tolist()
        return Outputs(
            self._env,
            self._dram,
            plan.storage.output_slots,
            groups,
            tables.pending.tolist(),
            dram_ticks(tables.write_backs, plan.program.accelerator).tolist(),
            self._wake_freed,
        )

    def _wake(self) -> None:
        """Run the phases of this cycle, once, after every end that is due in it.

        An end is scheduled at least one cycle ahead and this timeout within the cycle, so simpy,
        which serves equal times in the order of scheduling, puts it last.
        """
        if not self._awake:
            self._awake = True
            self._env.timeout(0).callbacks.append(self._phases)

    def _wake_freed(self) -> None:
        self._freed = True
        self._wake()

    def _phases(self, _: Any) -> None:
        """Hand-offs, engine starts, DRAM grants; each only where something can have changed."""
        self._awake = False
        if self._freed:
            self._freed = False
            self._outputs.advance()
            self._inputs.advance()
            if not self._arbiter:
                for loader in self._loaders:
                    loader.advance()
        for engine in (self.denser, self.sparser):
            if not engine.running:
                engine.start(self._outputs.opened_at, self._inputs.arrival, gates=self._gates)
        if self._arbiter:
            self._arbiter.advance()
        elif self._dram.requests:
            self._dram.grant()

    def _part_ended(self, engine: int, stream: int, tile: int) -> None:
        if self._handoff:
            part = self._env.timeout(self._handoff, (engine, stream, tile))
            part.callbacks.append(self._part_seen)
        else:
            self._hand_off(engine, stream, tile)
        self._wake()

    def _part_seen(self, event: Any) -> None:
        self._hand_off(*event.value)

    def _hand_off(self, engine: int, stream: int, tile: int) -> None:
        """A part of a tile is seen to have issued: slots; results come a pipeline later."""
        tiles = self._tiles[stream]
        tiles.parts[tile] -= 1
        if not tiles.parts[tile]:
            self._loaders[stream].release(tile)
            self._freed = True
        if self._pipeline:
            part = self._env.timeout(self._pipeline, (engine, stream, tile))
            part.callbacks.append(self._results_seen)
        else:
            self._results(engine, stream, tile)
        self._wake()

    def _results_seen(self, event: Any) -> None:
        self._results(*event.value)

    def _results(self, engine: int, stream: int, tile: int) -> None:
        """The results of a part of a tile are there: gates, link and accumulators."""
        tiles = self._tiles[stream]
        self._unread_factor(tiles.wide[tile])
        if engine == DENSER and tiles.link_cycles[tile]:
            self._link.send(tiles.link_cycles[tile], tiles.target[tile])
        else:
            self._credit(tiles.target[tile])
        self._wake()

    def _unread_factor(self, token_block: int) -> None:
        """A part of U has its results: after the last, Vᵀx may be overwritten."""
        if token_block >= 0:
            self._wide_parts[token_block] -= 1
            if not self._wide_parts[token_block]:
                self._gates[free_gate(token_block + 1)] = int(self._env.now)

    def _credit(self, target: int) -> None:
        """A part has reached the accumulators of an output block or of Vᵀx."""
        if target < self._blocks:
            self._outputs.add(target)
        else:
            token_block = target - self._blocks
            self._thin_parts[token_block] -= 1
            if not self._thin_parts[token_block]:
                self._gates[complete_gate(token_block)] = int(self._env.now)
        self._wake()


def _tiles(records: Records, accelerator: Accelerator) -> Tiles:
    """A stream as lists: simpy's callbacks look up one entry at a time."""
    lists = {name: records[name].tolist() for name in records.dtype.names or ()}
    wide = zip(lists["holder"], lists["wide"], strict=True)
    return Tiles(
        priority=[FACTORS if factor else WEIGHTS for factor in lists["factor"]],
        wide=[holder if waits else -1 for holder, waits in wide],
        follows=[*lists["follows"], 0],
        weight_ticks=dram_ticks(records["weights"], accelerator).tolist(),
        input_ticks=dram_ticks(records["inputs"], accelerator).tolist(),
        input_key=lists["input_key"],
        holder=lists["holder"],
        output=lists["output"],
        gate=lists["gate"],
        target=lists["target"],
        parts=lists["parts"],
        cycles=(lists["denser"], lists["sparser"]),
        link_cycles=link_cycles(records["link"], accelerator).tolist(),
    )
