"""From a finished run to its result: accounts that sum exactly, traffic and action counts. Pure."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from accelerator_sim.mapping.bounds import loaded_activations, written_back
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.mapping.roofline import roofline
from accelerator_sim.mapping.totals import Totals, moved_weights, totals
from accelerator_sim.simulation.conventions import WAITS
from accelerator_sim.simulation.result import Actions, EventResult, Stalls, Traffic
from accelerator_sim.simulation.sram import sram_bytes


class EngineTimes(Protocol):
    """What a run notes of one engine, in cycles."""

    @property
    def busy(self) -> int:
        """With a tile."""

    @property
    def fill(self) -> int:
        """Before its first tile."""

    @property
    def waits(self) -> Mapping[str, int]:
        """Between tiles, by ``conventions.WAITS``."""

    @property
    def last_end(self) -> int:
        """End of its last tile; 0 if it had none."""


def event_result(
    plan: Plan, cycles: int, *, denser: EngineTimes, sparser: EngineTimes
) -> EventResult:
    """The result of a run.

    Args:
        plan: What was run.
        cycles: When the last output was written back; not asked where outputs stay on chip.
        denser: What the run noted of the denser engine.
        sparser: What it noted of the sparser engine.
    """
    program = plan.program
    accelerator, tiled = program.accelerator, program.tiled
    bound, sums = roofline(program), totals(program)
    traffic = _traffic(plan)
    last = max(denser.last_end, sparser.last_end)
    if program.results_stay:
        cycles = last + accelerator.handoff_cycles + accelerator.pipeline_cycles
    denser_work = _Work(sums.denser_compute)
    sparser_work = _Work(sums.sparser_compute, sums.decode, sums.gather)
    return EventResult(
        cycles=cycles,
        roofline_cycles=bound.cycles,
        roofline=bound,
        utilisation=bound.macs / (accelerator.peak_macs * cycles),
        denser=_stalls(program.denser_lines, cycles, last, denser, denser_work),
        sparser=_stalls(program.sparser_lines, cycles, last, sparser, sparser_work),
        traffic=traffic,
        actions=_actions(plan, traffic, sums, useful_macs=bound.macs),
        tiles=sum(len(stream) for stream in program.streams),
        tile=(tiled.tile.rows, tiled.tile.columns, tiled.tile.tokens),
        tile_chosen_by=plan.tile_chosen_by,
        dataflow=program.configuration.dataflow,
        value_bits=program.configuration.value_bits,
        denser_lines=program.denser_lines,
        split_chosen_by=plan.split_chosen_by,
        dense_columns=tiled.dense_columns,
        dense_threshold=accelerator.dense_threshold,
        activations_resident=plan.storage.activations_resident,
        outputs_resident=plan.storage.outputs_resident,
        loop_order=program.loop_order,
        index_format="" if tiled.mask is None else accelerator.index.format,
    )


class _Work(NamedTuple):
    """Line cycles of an engine's tiles: with MACs, and what decode and gathers add to them."""

    compute: int
    decode: int = 0
    gather: int = 0


def _stalls(lines: int, cycles: int, last: int, times: EngineTimes, work: _Work) -> Stalls:
    """An account."""
    return Stalls(
        compute=work.compute,
        imbalance=lines * times.busy - sum(work),
        index_decode=work.decode,
        gather=work.gather,
        **{reason: lines * times.waits[reason] for reason in WAITS},
        fill=lines * times.fill,
        drain=lines * (cycles - last),
        idle=lines * (last - times.last_end),
    )


def _traffic(plan: Plan) -> Traffic:
    program, storage = plan.program, plan.storage
    moved = moved_weights(program, program.accelerator.dram.burst_bytes)
    loads = loaded_activations(program, storage).moved
    once = loaded_activations(program, storage, once=True).moved
    return Traffic(
        weights=moved.weights,
        factors=moved.factors,
        activations=loads,
        outputs=written_back(program).moved,
        refetched=moved.weights + moved.factors - moved.first + loads - once,
    )


def _actions(plan: Plan, traffic: Traffic, sums: Totals, *, useful_macs: int) -> Actions:
    program, tiled = plan.program, plan.program.tiled
    buffers = sram_bytes(plan)
    dense_entries = tiled.gemm.m * tiled.dense_columns
    zeros = (dense_entries - (tiled.nonzeros - tiled.sparse_nonzeros)) * tiled.gemm.tokens
    return Actions(
        macs=useful_macs + zeros,
        executed_zeros=zeros,
        factor_macs=tiled.gemm.low_rank_macs(tiled.rank),
        decoded=program.decoded,
        link_elements=sums.link_elements,
        dram_read_bytes=traffic.total - traffic.outputs,
        dram_write_bytes=traffic.outputs,
        weight_buffer_bytes=buffers.weights,
        activation_buffer_bytes=buffers.activations,
        output_buffer_bytes=buffers.outputs,
        bank_reads=buffers.bank_reads,
        crossbar_words=buffers.crossbar_words,
        copied_bytes=buffers.copied,
        copy_read_bytes=buffers.copy_reads,
    )
