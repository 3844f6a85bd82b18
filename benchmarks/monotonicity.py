"""What more hardware makes slower: random machines, each field of a machine improved alone.

python -m benchmarks.monotonicity [TRIALS] [SEED]

Machines and projections are those of the tests, at their tile, dataflow and split, so that only the
order of events changes. Prints, for one stream of tiles and for two, how many machines each change
made slower, of how many that it changed or could have, and the worst.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from accelerator_sim.machine.hardware import Accelerator, Buffer
from accelerator_sim.simulation.compiled import run_compiled
from benchmarks.random_cases import Case, for_each, plan_or_none, trials_and_seed
from tests.accelerator_sim.machines import PLENTY, cases

BUFFERS = ("weight_buffer", "activation_buffer", "output_buffer")
_Change = Callable[[Accelerator], Accelerator | None]


@dataclass
class Outcome:
    """What a change did to the machines of one kind: how much slower the slower ones were."""

    tried: int = 0
    slower: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        if not self.slower:
            return f"none of {self.tried}"
        return f"{len(self.slower)} of {self.tried}, at most {max(self.slower):.1%}"


def main(trials: int, chosen_seed: int) -> None:
    outcomes = {name: (Outcome(), Outcome()) for name in changes()}

    def improve(case: Case) -> None:
        item, drawn = case
        plan = plan_or_none(item, drawn)
        if plan is None:
            return
        program = plan.program
        machine = replace(
            drawn, denser_lines=program.denser_lines, dataflow=program.configuration.dataflow
        )
        before = run_compiled(plan).cycles
        for name, change in changes().items():
            better = change(machine)
            after = None if better is None else plan_or_none(item, better)
            if after is not None:
                outcome = outcomes[name][len(program.factors) > 0]
                outcome.tried += 1
                cycles = run_compiled(after).cycles
                if cycles > before:
                    outcome.slower.append(cycles / before - 1)

    for_each(cases(), improve, trials=trials, chosen_seed=chosen_seed)
    print("change: one stream; two streams")
    for name, (one, two) in outcomes.items():
        print(f"{name}: {one}; {two}")


def changes() -> dict[str, _Change]:
    """Each change by its name; None where a machine has nothing to improve."""
    table: dict[str, _Change] = {
        "twice the lines": lambda m: replace(
            m, lines=2 * m.lines, denser_lines=2 * _whole(m.denser_lines)
        ),
        "twice the MACs of a line": lambda m: replace(m, macs_per_line=2 * m.macs_per_line),
        "rows to the line that is free first": lambda m: _other(m, row_assignment="next_free"),
        "twice the link": lambda m: replace(
            m, link_elements_per_cycle=2 * m.link_elements_per_cycle
        ),
        "no hand-offs": lambda m: _other(m, handoff_cycles=0),
        "no pipeline": lambda m: _other(m, pipeline_cycles=0),
        "ideal gather": lambda m: _other(m, gather="ideal"),
        "twice the banks": lambda m: _banked(m, activation_banks=2 * m.activation_banks),
        "twice the ports": lambda m: _banked(m, activation_ports=2 * m.activation_ports),
        "ideal decode": lambda m: _other(m, index=replace(m.index, decode="ideal")),
        "twice the decode rate": lambda m: replace(
            m,
            index=replace(
                m.index, decode_per_cycle=2 * m.index.decode_per_cycle, decode_queue="auto"
            ),
        ),
        "a decode queue of 1,024": lambda m: _queued(m, decode_queue=1024),
        "twice the bandwidth": lambda m: replace(
            m, dram=replace(m.dram, bytes_per_second=2 * m.dram.bytes_per_second)
        ),
        "no read latency": lambda m: replace(m, dram=replace(m.dram, **_latencies(m, 0.0, None))),
        "no write latency": lambda m: replace(m, dram=replace(m.dram, write_latency_ns=0.0)),
        "no refresh": lambda m: replace(m, dram=replace(m.dram, refresh_share=0.0)),
        "twice the requests a cycle": lambda m: _doubled_limit(m, "requests_per_cycle"),
        "twice the credits": lambda m: _doubled_limit(m, "outstanding_requests"),
        "requests without limits": lambda m: replace(
            m,
            dram=replace(m.dram, requests_per_cycle="unlimited", outstanding_requests="unlimited"),
        ),
    }
    return table | dict(_of_buffers())


def _of_buffers() -> Iterator[tuple[str, _Change]]:
    for name in BUFFERS:
        words = name.replace("_", " ")
        yield f"all room in the {words}, same slots", _with(name, lambda b: replace(b, **ROOM))
        yield f"a slot more in the {words}, of the same size", _with(name, _slot_more)
        yield f"auto slots in the {words}", _with(name, lambda b: replace(b, slots="auto"))


ROOM: dict[str, Any] = {"capacity_bytes": PLENTY}


def _slot_more(buffer: Buffer) -> Buffer | None:
    if buffer.slots == "auto":
        return None
    room = buffer.capacity_bytes // buffer.slots
    return Buffer(room * (buffer.slots + 1), buffer.slots + 1)


def _with(name: str, change: Callable[[Buffer], Buffer | None]) -> _Change:
    def changed(machine: Accelerator) -> Accelerator | None:
        buffer = change(getattr(machine, name))
        return None if buffer is None else _other(machine, **{name: buffer})

    return changed


def _other(machine: Accelerator, **fields: Any) -> Accelerator | None:
    """The machine with other fields; None if they are no others."""
    changed = replace(machine, **fields)
    return None if changed == machine else changed


def _banked(machine: Accelerator, **fields: Any) -> Accelerator | None:
    return replace(machine, **fields) if machine.gather == "banked" else None


def _queued(machine: Accelerator, **fields: Any) -> Accelerator | None:
    index = machine.index
    return replace(machine, index=replace(index, **fields)) if index.queued else None


def _latencies(machine: Accelerator, read: float, write: float | None) -> dict[str, Any]:
    """Another read latency; that of writes stays what it was."""
    stays = machine.dram.write_latency_ns
    if stays is None:
        stays = machine.dram.latency_ns
    return {"latency_ns": read, "write_latency_ns": stays if write is None else write}


def _doubled_limit(machine: Accelerator, name: str) -> Accelerator | None:
    limit = getattr(machine.dram, name)
    if limit == "unlimited":
        return None
    return replace(machine, dram=replace(machine.dram, **{name: 2 * limit}))


def _whole(lines: Any) -> int:
    return int(lines)


if __name__ == "__main__":
    main(*trials_and_seed(3_000))
