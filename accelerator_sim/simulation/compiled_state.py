"""The machine of ``compiled_kernel`` as records and arrays of whole numbers."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelerator_sim.simulation.conventions import WAITS


def _record(*names: str) -> np.dtype[np.void]:
    return np.dtype([(name, np.int64) for name in names])


MACHINE = _record(
    "now", "port_cycle", "port_ticks", "last_arrival", "freed", "outstanding", "link_free", "sent",
    "crossed", "inputs_opened", "inputs_closed", "outputs_opened", "outputs_closed",
    "requested", "fresh", "granted", "written", "next_join", "joined_at", "left", "begun",
    "slots_wanted",
)  # fmt: skip
ENGINE = _record(
    "running", "left", "tile", "end", "seen_tile", "seen_at", "ready", "started", "busy", "fill",
    "last_end", "issued", "finished", *WAITS,
)  # fmt: skip
QUEUE = _record("next", "end")
STREAM = _record(
    "weights_next", "inputs_next", "end", "weights_held", "inputs_held", "weight_slots", "raised",
)  # fmt: skip
BLOCK = _record("pending", "queued", "seen_at")
GROUP = _record("opened_at", "unwritten")
TOKENS = _record("users", "thin_parts", "wide_parts")
CROSSING = _record("seen_at", "target")
RESULT = _record("seen_at", "tile")

Record = Any
"""One record of the types above; numba knows its fields, mypy does not."""
Records = NDArray[np.void]
Whole = NDArray[np.int64]


class Settings(NamedTuple):
    """What a run does not change.

    Attributes:
        main: Tiles of the main stream.
        tiles: Of both streams.
        parts: On the denser and on the sparser engine.
        scale: Ticks of port time in a cycle.
        stripe_bytes: Of a burst on every channel.
        stripe_ticks: Port time of a stripe.
        latency: Of loads.
        write_latency: Of write-backs.
        handoff: Cycles of a hand-off.
        pipeline: Cycles from a part's last issue to its results.
        link_width: Partial sums that cross in a cycle.
        resident: Whether a token block's activations share a slot.
        weight_slots: Of the main stream and of the factors.
        input_slots: Of the activation buffer.
        output_slots: Of the output buffer.
        group_blocks: Output blocks that share a slot.
        one_by_one: Whether requests join one by one; else all at once, by class.
        requests_per_cycle: How many may join in a cycle.
        outstanding: Credits of a stream; 0: requests have no limit.
        parts_on_way: Parts that both engines, their pipelines and the link hold at the most.
        ticks_to_cycles: 1 / ``scale``, nearly.
        bytes_to_stripes: 1 / ``stripe_bytes``, nearly.
    """

    main: int
    tiles: int
    parts: tuple[int, int]
    scale: int
    stripe_bytes: int
    stripe_ticks: int
    latency: int
    write_latency: int
    handoff: int
    pipeline: int
    link_width: int
    resident: int
    weight_slots: tuple[int, int]
    input_slots: int
    output_slots: int
    group_blocks: int
    one_by_one: int
    requests_per_cycle: int
    outstanding: int
    parts_on_way: int
    ticks_to_cycles: float
    bytes_to_stripes: float


class State(NamedTuple):
    """A machine in a cycle.

    Attributes:
        settings: What stays.
        tiles: ``tables.TILE`` of both streams, the main one first; one more at the end.
        write_backs: Bytes of each output block.
        machine: One MACHINE.
        engines: ENGINE: denser, sparser.
        lanes: QUEUE: of the denser engine main and factors, then of the sparser engine.
        streams: STREAM: main, factors.
        halves: Whether one of the two parts of a tile is done.
        weights_at: When the weights of each tile are visible.
        blocks: BLOCK: output blocks; ``queued`` and ``seen_at`` are the write-back queue.
        groups: GROUP: output blocks that share a slot; the last: always open.
        tokens: TOKENS: token blocks.
        gates: Gate times.
        arrivals: When inputs are visible; the last: no inputs.
        sharers: Tiles that still need what came at each arrival; empty where that is one each.
        crossings: CROSSING: the two transfers that can be on the link.
        credits: When the credit of a request of a stream is back, for the requests raised last.
        results: RESULT: parts of each engine in its pipeline, and two that may be found ended at
            once: one that is seen late and one that ends late.

    ``credits`` and ``results`` are rings whose length is a power of two.
    """

    settings: Settings
    tiles: Records
    write_backs: Whole
    machine: Records
    engines: Records
    lanes: Records
    streams: Records
    halves: NDArray[np.int8]
    weights_at: Whole
    blocks: Records
    groups: Records
    tokens: Records
    gates: Whole
    arrivals: Whole
    sharers: Whole
    crossings: Records
    credits: Whole
    results: Records


def ring(entries: int) -> int:
    """The power of two that holds so many."""
    return 1 << (entries - 1).bit_length()
