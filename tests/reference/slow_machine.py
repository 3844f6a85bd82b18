"""The machine again, slowly: one step per cycle, plain lists, loops over rows and entries.

An independent reading of docs/event_model.md to hold the event engine against: it takes the same
``Accelerator``, a tile and a split, and shares no code with ``accelerator_sim``.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import ceil
from typing import Any

from accelerator_sim.machine.hardware import Accelerator
from tests.reference.slow_tiles import (
    REASONS,
    Mask,
    Tile,
    divide,
    latency_cycles,
    pieces,
    share,
    slot_count,
    tile_lists,
)

Block = tuple[int, int]
Action = Callable[..., None]


class SlowMachine:
    """State of the machine at a cycle."""

    def __init__(
        self,
        mask: Mask,
        tokens: int,
        rank: int,
        acc: Accelerator,
        tile: tuple[int, int, int],
        ld: int,
        dense: Sequence[bool],
    ) -> None:
        self.acc, self.ld, self.now = acc, ld, 0
        m, n = len(mask), len(mask[0])
        tile = (min(tile[0], m), min(tile[1], n), min(tile[2], tokens))
        self.streams = tile_lists(mask, tokens, rank, acc, tile, ld, dense)
        self.weights_stay = acc.loop_order == "weight_stationary"
        self.chunks_stay = acc.loop_order == "activation_stationary"
        self.out_bytes = {
            (q, i): ceil((b - a) * (d - c) * acc.bits.activation / 8)
            for q, (a, b) in enumerate(pieces(tokens, tile[2]))
            for i, (c, d) in enumerate(pieces(m, tile[0]))
        }
        self.blocks = [*self.out_bytes]
        if self.weights_stay:
            self.blocks.sort(key=lambda block: block[::-1])
        held_tokens = tokens if self.weights_stay else tile[2]
        rounds = 1 if self.weights_stay else len(pieces(tokens, tile[2]))
        room = acc.weight_buffer.capacity_bytes // (1 + bool(self.streams[1]))
        self.weight_slots = [
            slot_count(acc.weight_buffer, room,
                       max((t["bytes"] for t in stream), default=1))
            for stream in self.streams
        ]  # fmt: skip
        chunk = max((t["input_bytes"] for t in self.streams[0]), default=0)
        self.inputs_stay, self.input_slots = divide(
            acc.activation_buffer, acc.activation_buffer.capacity_bytes, rounds, chunk,
            ceil(n * held_tokens * acc.bits.activation / 8),
        )  # fmt: skip
        thin = ceil(rank * held_tokens * acc.bits.accumulator / 8)
        whole = ceil(m * held_tokens * acc.bits.accumulator / 8)
        block = ceil(tile[0] * held_tokens * acc.bits.accumulator / 8)
        self.outputs_stay, self.output_slots = divide(
            acc.output_buffer, acc.output_buffer.capacity_bytes - thin,
            1 if self.chunks_stay else rounds, block, whole,
        )  # fmt: skip
        self.missing = dict.fromkeys(self.blocks, 0)
        self.thin_missing = [0] * len(pieces(tokens, tile[2]))
        self.prepare_tiles()
        self.prepare_queues()

    def prepare_queues(self) -> None:
        self.waiting_writes: list[tuple[int, int, int, int, tuple[Any, ...]]] = []
        self.raised, self.begun = [0, 0], [0, 0]
        self.chunks: dict[tuple[int, int], str] = {}
        self.open_blocks: set[Block] = set()
        self.written: set[Block] = set()
        self.asked: set[Block] = set()
        self.queue: list[list[Any]] = []
        self.later: dict[int, list[tuple[Action, tuple[Any, ...]]]] = {}
        self.dram_queue: list[tuple[int, int, int, int, tuple[Any, ...]]] = []
        self.link_queue: list[list[Any]] = []
        self.link_pending = 0
        self.running: list[list[Any] | None] = [None, None]
        self.queues = [
            [[t for t in stream if t["parts"][e]] for stream in self.streams] for e in (0, 1)
        ]
        self.started, self.ended = [False, False], [0, 0]
        self.accounts = [dict.fromkeys(REASONS, 0) for _ in (0, 1)]
        self.bytes_moved = 0

    def prepare_tiles(self) -> None:
        for number, stream in enumerate(self.streams):
            share(stream, ("kind", "i", "j") if self.weights_stay else (), "alike")
            readers = [t for t in stream if t["input_bytes"]]
            share(readers, ("q", "j") if self.chunks_stay else (), "readers")
            for index, t in enumerate(stream):
                t |= {"stream": number, "place": index, "left": sum(p > 0 for p in t["parts"])}
                t |= {"weights": "no", "inputs": "no" if t["input_bytes"] else "here"}
                t["done"], t["unfinished"] = False, t["left"]
                if t["kind"] == "V":
                    self.thin_missing[t["q"]] += t["left"]
                else:
                    self.missing[t["q"], t["i"]] += t["left"]

    def at(self, cycle: int, action: Action, *arguments: Any) -> None:
        self.later.setdefault(cycle, []).append((action, arguments))

    # what ends in a cycle

    def part_seen(self, engine: int, t: Tile) -> None:
        t["left"] -= 1
        if not t["left"]:
            t["done"] = True
        if self.acc.pipeline_cycles:
            self.at(self.now + self.acc.pipeline_cycles, self.results_seen, engine, t)
        else:
            self.results_seen(engine, t)

    def results_seen(self, engine: int, t: Tile) -> None:
        t["unfinished"] -= 1
        if engine == 0 and t["link"]:
            self.link_queue.append([ceil(t["link"] / self.acc.link_elements_per_cycle), t])
        else:
            self.arrived(t)

    def arrived(self, t: Tile) -> None:
        """A part is in its accumulators."""
        if t["kind"] == "V":
            self.thin_missing[t["q"]] -= 1
        else:
            self.missing[t["q"], t["i"]] -= 1

    def crossed(self, t: Tile) -> None:
        self.link_pending -= 1
        self.arrived(t)

    def set_state(self, table: dict[Any, str], key: Any, value: str) -> None:
        table[key] = value

    def set_all(self, tiles: list[Tile], key: str, value: str) -> None:
        for t in tiles:
            t[key] = value

    def hand_offs(self) -> None:
        self.open_outputs()
        for block in self.blocks:
            if block in self.open_blocks and not self.missing[block] and block not in self.asked:
                self.asked.add(block)
                finished = self.waiting_writes if self.acc.dram.limits_requests else self.dram_queue
                finished.append(
                    (
                        3,
                        0,
                        self.blocks.index(block),
                        self.out_bytes[block],
                        (self.written.add, block),
                    )
                )
        if self.acc.dram.limits_requests:
            self.one_by_one()
            return
        for number, stream in enumerate(self.streams):
            for t in stream:
                if t["weights"] != "no":
                    continue
                if self.held(stream, "weights", "alike") >= self.weight_slots[number]:
                    break
                self.ask_weights(t)
            for t in stream:
                if t["weights"] == "no" or not self.ask_inputs(t, stream):
                    break

    def ask_weights(self, t: Tile) -> None:
        self.set_all(t["alike"], "weights", "asked")
        target = (self.set_all, t["alike"], "weights", "here")
        kind = 0 if t["kind"] == "S" else 2
        self.dram_queue.append((kind, t["stream"], t["place"], t["bytes"], target))

    def one_by_one(self) -> None:
        """Requests that join the queue in this cycle: write-backs, the main stream, U."""
        room, most = (
            float("inf") if limit == "unlimited" else limit
            for limit in (self.acc.dram.requests_per_cycle, self.acc.dram.outstanding_requests)
        )
        while room and self.waiting_writes:
            self.dram_queue.append(self.waiting_writes.pop(0))
            room -= 1
        for number in (0, 1):
            while room and self.raised[number] - self.begun[number] < most:
                if not self.raise_next(number):
                    break
                self.raised[number] += 1
                room -= 1

    def raise_next(self, number: int) -> bool:
        """Raise the first request of a stream that is left, if it has a slot."""
        stream, before = self.streams[number], len(self.dram_queue)
        for t in stream:
            if t["weights"] == "no":
                if self.held(stream, "weights", "alike") < self.weight_slots[number]:
                    self.ask_weights(t)
            elif self.ask_inputs(t, stream) and len(self.dram_queue) == before:
                continue
            return len(self.dram_queue) > before
        return False

    def held(self, stream: list[Tile], state: str, sharing: str) -> int:
        """Slots that tiles have asked for and still need, each counted once."""
        waiting = [t[sharing] for t in stream if sharing in t and t[state] != "no"]
        return len({id(tiles) for tiles in waiting if not all(t["done"] for t in tiles)})

    def open_outputs(self) -> None:
        def group(block: Block) -> int | Block:
            q, i = block
            if self.weights_stay:
                return 0 if self.outputs_stay else i
            return q if self.outputs_stay else block

        for block in self.blocks:
            groups = {group(b) for b in self.open_blocks}
            live = {
                g
                for g in groups
                if any(group(b) == g and b not in self.written for b in self.blocks)
            }
            if group(block) in groups or len(live) < self.output_slots:
                self.open_blocks.add(block)
            else:
                return

    def ask_inputs(self, t: Tile, stream: list[Tile]) -> bool:
        if t["inputs"] != "no":
            return True
        slots = self.input_slots
        if self.inputs_stay:
            readers = [o for s in self.streams for o in s if o["input_bytes"]]
            live = {o["q"] for o in readers if o["q"] < t["q"] and not o["done"]}
            if len(live) >= slots and not self.weights_stay:
                return False
            key = (t["q"], t["j"])
            t["inputs"] = "shared"
            if key in self.chunks:
                return True
            self.chunks[key] = "asked"
            target: tuple[Any, ...] = (self.set_state, self.chunks, key, "here")
        else:
            if self.held(stream, "inputs", "readers") >= slots:
                return False
            self.set_all(t["readers"], "inputs", "asked")
            target = (self.set_all, t["readers"], "inputs", "here")
        self.dram_queue.append((1, t["stream"], t["place"], t["input_bytes"], target))
        return True

    def unmet(self, engine: int, t: Tile) -> str | None:
        """First thing that a tile waits for, or None."""
        if t["kind"] != "V" and (t["q"], t["i"]) not in self.open_blocks:
            return "output_space"
        if t["weights"] != "here":
            return "weights"
        inputs = t["inputs"]
        if t["input_bytes"] and self.inputs_stay:
            inputs = self.chunks.get((t["q"], t["j"]))
        if inputs != "here":
            return "activations"
        everything = [o for s in self.streams for o in s]
        wide_left = any(
            o["kind"] == "U" and o["q"] == t["q"] - 1 and o["unfinished"] for o in everything
        )
        if (
            (t["kind"] == "V" and wide_left and not self.weights_stay)
            or (t["kind"] == "U" and self.thin_missing[t["q"]])
            or (engine == 0 and self.link_pending > 1)
        ):
            return "accumulation"
        return None

    def start(self, engine: int) -> None:
        heads = [queue[0] for queue in self.queues[engine] if queue]
        if self.running[engine] is None:
            for t in heads:
                if self.unmet(engine, t) is None:
                    self.queues[engine][t["stream"]].pop(0)
                    self.running[engine] = [t["parts"][engine], t]
                    self.started[engine] = True
                    break
        account = self.accounts[engine]
        lines = (self.ld, self.acc.lines - self.ld)[engine]
        if self.running[engine] is not None:
            account["imbalance"] += lines
        elif heads and not self.started[engine]:
            account["fill"] += lines
        elif heads:
            reason = self.unmet(engine, heads[0])
            assert reason is not None
            account[reason] += lines

    # one cycle of work, from now to now + 1

    def work(self) -> None:
        hand_off = self.acc.handoff_cycles
        for engine in (0, 1):
            running = self.running[engine]
            if running is None:
                continue
            running[0] -= 1
            if not running[0]:
                self.at(self.now + 1, self.end_part, engine, running[1])
                self.at(self.now + 1 + hand_off, self.part_seen, engine, running[1])
        if self.link_queue:
            self.link_queue[0][0] -= 1
            if not self.link_queue[0][0]:
                _, t = self.link_queue.pop(0)
                self.at(self.now + 1 + hand_off, self.crossed, t)
        self.transfer()

    def end_part(self, engine: int, t: Tile) -> None:
        self.running[engine] = None
        self.ended[engine] = self.now
        self.accounts[engine]["compute"] += t["compute"][engine]
        self.accounts[engine]["imbalance"] -= t["compute"][engine]
        if engine == 1:
            self.accounts[1]["index_decode"] += t["decode"]
            self.accounts[1]["gather"] += t["late"]
            self.accounts[1]["imbalance"] -= t["decode"] + t["late"]
        if engine == 0 and t["link"]:
            self.link_pending += 1

    def transfer(self) -> None:
        """Move a cycle's worth of bytes, first come first served."""
        dram = self.acc.dram
        stripe = dram.burst_bytes * dram.channels
        if not self.acc.dram.limits_requests:
            self.dram_queue.sort(key=lambda r: r[:3])
        for kind, stream, _, size, (action, *arguments) in self.dram_queue:
            latency = latency_cycles(self.acc, write=kind == 3)
            left = Fraction(ceil(size / stripe) * stripe)
            owner = None if kind == 3 else stream
            self.queue.append([left, owner, latency, action, arguments])
            self.bytes_moved += ceil(size / dram.burst_bytes) * dram.burst_bytes
        self.dram_queue.clear()
        budget = Fraction(dram.bytes_per_second, self.acc.clock_hz) * Fraction(str(dram.efficiency))
        budget *= 1 - Fraction(str(dram.refresh_share))
        while budget and self.queue:
            if self.queue[0][1] is not None:
                self.begun[self.queue[0][1]] += 1
                self.queue[0][1] = None
            moved = min(budget, self.queue[0][0])
            budget -= moved
            self.queue[0][0] -= moved
            if not self.queue[0][0]:
                _, _, latency, action, arguments = self.queue.pop(0)
                arrival = self.now + 1 + latency
                self.at(arrival + self.acc.handoff_cycles, action, *arguments)
                self.last_arrival = arrival


def simulate(
    mask: Mask,
    tokens: int,
    rank: int,
    acc: Accelerator,
    tile: tuple[int, int, int],
    ld: int,
    dense: Sequence[bool],
) -> tuple[int, dict[str, int], dict[str, int], int]:
    """Cycles, accounts of the denser and sparser engine, and bytes moved.

    Args: mask as rows of booleans; tile as (rows, columns, tokens); ld denser lines; dense as one
    boolean per column.
    """
    machine = SlowMachine(mask, tokens, rank, acc, tile, ld, dense)
    while len(machine.written) < len(machine.blocks):
        for action, arguments in machine.later.pop(machine.now, []):
            action(*arguments)
        if len(machine.written) == len(machine.blocks):
            break
        machine.hand_offs()
        machine.start(0)
        machine.start(1)
        machine.work()
        machine.now += 1
        assert machine.now < 200_000, "the slow machine is stuck"
    cycles = machine.last_arrival
    last = max(machine.ended)
    for engine in (0, 1):
        lines = (ld, acc.lines - ld)[engine]
        machine.accounts[engine]["idle"] = lines * (last - machine.ended[engine])
        machine.accounts[engine]["drain"] = lines * (cycles - last)
    return cycles, machine.accounts[0], machine.accounts[1], machine.bytes_moved
