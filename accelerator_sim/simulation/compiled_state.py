"""The machine of ``compiled_kernel`` as records and arrays of whole numbers."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelerator_sim.simulation.conventions import WAITS


def _record(*names: str) -> np.dtype[np.void]:
    return np.dtype([(name, np.int64) for name in names])


MACHINE = _record(
    "now", "scale", "latency", "write_latency", "handoff", "port_cycle", "port_ticks",
    "last_arrival", "freed", "outstanding", "link_free", "sent", "crossed",
    "resident", "input_slots",
    "inputs_opened", "inputs_closed", "output_slots", "outputs_opened", "outputs_closed",
    "group_blocks", "requested", "fresh", "granted", "written",
    "one_by_one", "requests_per_cycle", "next_join", "joined_at", "left", "begun", "pipeline",
)  # fmt: skip
ENGINE = _record(
    "running", "left", "tile", "end", "seen_tile", "seen_at", "ready", "started", "busy", "fill",
    "last_end", "issued", "finished", *WAITS,
)  # fmt: skip
QUEUE = _record("next", "end")
STREAM = _record(
    "weights_next", "inputs_next", "end", "weights_held", "inputs_held", "weight_slots", "raised",
)  # fmt: skip
BLOCK = _record("pending", "cycles", "ticks", "queued", "seen_at")
GROUP = _record("opened_at", "unwritten")
TOKENS = _record("users", "thin_parts", "wide_parts")
CROSSING = _record("seen_at", "target")
RESULT = _record("seen_at", "tile")

Record = Any
"""One record of the types above; numba knows its fields, mypy does not."""
Records = NDArray[np.void]
Whole = NDArray[np.int64]


class Tiles(NamedTuple):
    """Both streams, the main one first, as in ``tables.StreamTable``; times as pairs.

    Only ``parts`` and ``weights_at`` (when the weights are visible) change in a run.
    """

    factor: Whole
    wide: Whole
    follows: Whole
    weight_cycles: Whole
    weight_ticks: Whole
    input_cycles: Whole
    input_ticks: Whole
    input_key: Whole
    holder: Whole
    output: Whole
    gate: Whole
    target: Whole
    parts: Whole
    denser: Whole
    sparser: Whole
    link: Whole
    weights_at: Whole


class State(NamedTuple):
    """A machine in a cycle.

    Attributes:
        machine: One MACHINE.
        engines: ENGINE: denser, sparser.
        lanes: QUEUE: of the denser engine main and factors, then of the sparser engine.
        streams: STREAM: main, factors.
        tiles: What is to run.
        blocks: BLOCK: output blocks; ``queued`` and ``seen_at`` are the write-back queue.
        groups: GROUP: output blocks that share a slot; the last: always open.
        tokens: TOKENS: token blocks.
        gates: Gate times.
        arrivals: When inputs are visible; the last: no inputs.
        sharers: Tiles that still need what came at each arrival; empty if resident.
        crossings: CROSSING: the two transfers that can be on the link.
        credits: When each credit of a stream is back, by the request that last took it; without
            columns where requests are not limited.
        results: RESULT: parts of each engine in its pipeline.
    """

    machine: Records
    engines: Records
    lanes: Records
    streams: Records
    tiles: Tiles
    blocks: Records
    groups: Records
    tokens: Records
    gates: Whole
    arrivals: Whole
    sharers: Whole
    crossings: Records
    credits: Whole
    results: Records
