"""The event model: a program run on simpy, cycle by cycle where something happens.

The readable reference of the simulator. Each cycle in which an operation ends has four phases, in
this order whatever the order in which Python scheduled the events: ends; hand-offs and freed
slots; engine starts (denser before sparser); DRAM grants. ``docs/event_model.md`` has the details.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import simpy

from accelerator_sim.accounting import event_result
from accelerator_sim.bounds import write_back_bytes
from accelerator_sim.hardware import Accelerator
from accelerator_sim.planning import Plan
from accelerator_sim.processes import (
    FACTORS,
    NEVER,
    WEIGHTS,
    Dram,
    Engine,
    Inputs,
    Link,
    Loader,
    Observe,
    Outputs,
    Tiles,
)
from accelerator_sim.program import Program, S, Stream, U, V
from accelerator_sim.result import EventResult
from accelerator_sim.timing import dram_ticks, link_cycles, ticks_per_cycle

Progress = Callable[[int, int], None]
_PROGRESS_TILES = 4096


def run_event(
    plan: Plan, progress: Progress | None = None, trace: Observe | None = None
) -> EventResult:
    """Run a plan on the event model.

    Args:
        plan: From ``planning``.
        progress: Called now and then with the tiles done and all tiles.
        trace: Told of every operation as it is scheduled (see ``trace``).

    Returns:
        Cycles, accounts, traffic and action counts.
    """
    machine = Machine(plan, progress)
    machine.observe(trace)
    machine.run()
    return event_result(plan, machine.cycles, machine.denser, machine.sparser)


class Machine:
    """The wired units, and the phases of a cycle."""

    def __init__(self, plan: Plan, progress: Progress | None):
        program, accelerator = plan.program, plan.program.accelerator
        self._env = simpy.Environment()
        self._awake = False
        self._freed = True
        self._handoff = accelerator.handoff_cycles
        self._progress = progress
        self._done = 0
        self._kinds = [stream.kind.tolist() for stream in program.streams]
        self._blocks = len(program.tiled.token_sizes) * len(program.tiled.row_sizes)
        self._tiles = [_tiles(stream, plan) for stream in program.streams]
        self._gates, self._thin_parts, self._wide_tiles = _gates(program)
        scale = ticks_per_cycle(accelerator)
        latency = accelerator.dram.latency_cycles
        self._dram = Dram(self._env, scale, latency, self._handoff)
        self._link = Link(self._env, self._handoff, self._credit)
        self._inputs = _inputs(plan, self._tiles[0])
        slots = accelerator.weight_buffer.slots
        self._loaders = [
            Loader(stream, tiles, self._dram, slots, self._inputs, self._wake)
            for stream, tiles in enumerate(self._tiles)
        ]
        self._outputs = self._make_outputs(plan)
        lanes = list(zip(self._tiles, self._loaders, strict=True))
        self.denser = Engine(self._env, 0, lanes, self._link, self._part_ended)
        self.sparser = Engine(self._env, 1, lanes, self._link, self._part_ended)

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

    def _make_outputs(self, plan: Plan) -> Outputs:
        program, accelerator = plan.program, plan.program.accelerator
        pending = np.zeros(self._blocks, dtype=np.int64)
        for stream in program.streams:
            adds = stream.kind != V
            target = stream.token_block * len(program.tiled.row_sizes) + stream.row_block
            parts = (stream.denser_cycles > 0).astype(np.int64) + (stream.sparser_cycles > 0)
            np.add.at(pending, target[adds], parts[adds])
        groups = np.arange(self._blocks).reshape(-1, len(program.tiled.row_sizes)).tolist()
        if not plan.storage.outputs_resident:
            groups = [[block] for block in range(self._blocks)]
        return Outputs(
            self._env,
            self._dram,
            accelerator.output_buffer.slots,
            groups,
            pending.tolist(),
            dram_ticks(write_back_bytes(program), accelerator).tolist(),
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
            for loader in self._loaders:
                loader.advance()
        for engine in (self.denser, self.sparser):
            if not engine.running:
                engine.start(self._outputs.opened_at, self._inputs.arrival, self._gates)
        if self._dram.requests:
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
        """A part of a tile is seen to be done: slots, link and accumulators."""
        tiles = self._tiles[stream]
        tiles.parts[tile] -= 1
        if not tiles.parts[tile]:
            self._tile_done(stream, tile)
        if engine == 0 and tiles.link_cycles[tile]:
            self._link.send(tiles.link_cycles[tile], tiles.target[tile])
        else:
            self._credit(tiles.target[tile])
        self._wake()

    def _tile_done(self, stream: int, tile: int) -> None:
        self._loaders[stream].release(tile)
        self._freed = True
        if self._kinds[stream][tile] == U:
            token_block = self._tiles[stream].token_block[tile]
            self._wide_tiles[token_block] -= 1
            if not self._wide_tiles[token_block]:
                self._gates[2 * token_block + 2] = int(self._env.now)
        self._done += 1
        if self._progress and self._done % _PROGRESS_TILES == 0:
            self._progress(self._done, sum(len(tiles.parts) for tiles in self._tiles))

    def _credit(self, target: int) -> None:
        """A part has reached the accumulators of an output block or of Vᵀx."""
        if target < self._blocks:
            self._outputs.add(target)
        else:
            token_block = target - self._blocks
            self._thin_parts[token_block] -= 1
            if not self._thin_parts[token_block]:
                self._gates[2 * token_block + 1] = int(self._env.now)
        self._wake()


def _tiles(stream: Stream, plan: Plan) -> Tiles:
    """A stream as lists, its places in the units' tables filled in."""
    program, accelerator = plan.program, plan.program.accelerator
    row_blocks, token_blocks = len(program.tiled.row_sizes), len(program.tiled.token_sizes)
    block = stream.token_block * row_blocks + stream.row_block
    thin = token_blocks * row_blocks
    last_group = token_blocks if plan.storage.outputs_resident else thin
    group = stream.token_block if plan.storage.outputs_resident else block
    key = np.arange(len(stream))
    if plan.storage.activations_resident:
        key = stream.token_block * len(program.tiled.column_sizes) + stream.column_block
    weights = dram_ticks(stream.weight_bytes, accelerator)
    gate = np.select(
        [stream.kind == V, stream.kind == U],
        [2 * stream.token_block, 2 * stream.token_block + 1],
        -1,
    )
    return Tiles(
        priority=np.where(stream.kind == S, WEIGHTS, FACTORS).tolist(),
        weight_ticks=weights.tolist(),
        input_ticks=dram_ticks(stream.activation_bytes, accelerator).tolist(),
        input_key=np.where(stream.activation_bits > 0, key, -1).tolist(),
        token_block=stream.token_block.tolist(),
        output=np.where(stream.kind == V, last_group, group).tolist(),
        gate=gate.tolist(),
        target=np.where(stream.kind == V, thin + stream.token_block, block).tolist(),
        parts=((stream.denser_cycles > 0).astype(int) + (stream.sparser_cycles > 0)).tolist(),
        cycles=(stream.denser_cycles.tolist(), stream.sparser_cycles.tolist()),
        link_cycles=link_cycles(stream.link_elements, accelerator).tolist(),
    )


def _inputs(plan: Plan, main: Tiles) -> Inputs:
    """Activations, which only the main stream reads: one table entry per chunk or per tile."""
    accelerator: Accelerator = plan.program.accelerator
    slots = accelerator.activation_buffer.slots
    if not plan.storage.activations_resident:
        return Inputs([NEVER] * len(main.parts) + [0], [], slots)
    users = [0] * len(plan.program.tiled.token_sizes)
    for token_block, ticks in zip(main.token_block, main.input_ticks, strict=True):
        users[token_block] += ticks > 0
    chunks = len(users) * len(plan.program.tiled.column_sizes)
    return Inputs([NEVER] * chunks + [0], users, slots)


def _gates(program: Program) -> tuple[list[int], list[int], list[int]]:
    """Gate times, and for each token block the parts of Vᵀx and the tiles of U to come.

    Gate 2q: Vᵀx may be overwritten by token block q; 2q + 1: Vᵀx of q is complete; the last: open.
    """
    token_blocks = len(program.tiled.token_sizes)
    gates = [NEVER] * (2 * token_blocks + 2)
    gates[0] = gates[-1] = 0
    thin = np.zeros(token_blocks, dtype=np.int64)
    wide = np.zeros(token_blocks, dtype=np.int64)
    for stream in program.streams:
        parts = (stream.denser_cycles > 0).astype(np.int64) + (stream.sparser_cycles > 0)
        np.add.at(thin, stream.token_block[stream.kind == V], parts[stream.kind == V])
        np.add.at(wide, stream.token_block[stream.kind == U], 1)
    return gates, thin.tolist(), wide.tolist()
