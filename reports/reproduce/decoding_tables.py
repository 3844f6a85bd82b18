"""Table 5 for people: ours beside the published numbers, and what one GPU measured."""

import csv
import statistics
from importlib import resources

from reports.paper.published import NOTES, published
from reports.reproduce.decoding_results import Decoded, DecodeResult, DecoderIdentity
from reports.reproduce.study import Study
from workloads.results.identity import DENSE
from workloads.results.table import Cell, Column, Table
from workloads.support.wording import counted

_COLUMNS = (
    Column("Weights"),
    Column("Sparsity", ".0%"),
    Column("Kernel"),
    Column("Projections (MB)", ",.0f"),
    Column("Tokens/s", ".2f"),
    Column("slowest prompt", ".2f"),
    Column("fastest prompt", ".2f"),
    Column("Speedup", ".2f"),
    Column("Tokens/s without head", ".2f"),
    Column("Speedup without head", ".2f"),
)


def throughput_table(study: Study, result: DecodeResult) -> Table:
    """Ours beside the published throughput at the same sparsity.

    Args:
        study: Whose published numbers stand beside ours.
        result: What was measured.
    """
    whose, rows = published("table5", study.published)
    printed = {int(row["sparsity_percent"]): float(row["tokens_per_second"]) for row in rows}
    columns = (
        *_COLUMNS,
        Column(f"Tokens/s, published {whose}", ".2f"),
        Column("Speedup, published", ".2f"),
    )
    both = zip(result.identity.decoders, result.decoders, strict=True)
    cells = tuple(
        (*_measured(result, identity, decoded), *_printed(printed, identity.sparsity))
        for identity, decoded in both
    )
    title = f"Tokens a second in generation (as Table 5): {result.identity.subject}, measured"
    return Table("table5", title, columns, cells, (*_notes(study, result), *NOTES["table5"]))


def _measured(
    result: DecodeResult, identity: DecoderIdentity, decoded: Decoded
) -> tuple[Cell, ...]:
    rates = [result.timed_tokens / seconds for seconds in decoded.seconds]
    blocks = result.timed_tokens / statistics.median(decoded.seconds_of_blocks)
    return (
        "Dense" if identity.weights == DENSE else "S + U Vᵀ",
        identity.sparsity,
        identity.kernel,
        1e-6 * decoded.projection_bytes,
        statistics.median(rates),
        min(rates),
        max(rates),
        result.speedup(decoded),
        blocks,
        result.speedup_of_blocks(decoded),
    )


def _printed(printed: dict[int, float], sparsity: float) -> tuple[Cell, ...]:
    rate = printed.get(round(100 * sparsity))
    return (rate, None if rate is None else rate / printed[0])


def _notes(study: Study, result: DecodeResult) -> tuple[str, ...]:
    i = result.identity
    limits = study.limits
    some = "" if i.stack or limits.blocks is None else (
        f"ONLY THE FIRST {limits.blocks} BLOCKS are compressed, the others are dense. "
    )  # fmt: skip
    where = f"{i.device}, {counted(i.threads, 'thread')}, {i.features}" if i.features else i.device
    how = (
        f"Measured on {where}, {i.dtype}, torch {i.libraries['torch']}, transformers "
        f"{i.libraries['transformers']}, {result.load:.1f} processes running. {some}Greedy, "
        f"{i.prompts} prompts, {i.new_tokens} new tokens each; the first of them, which runs the "
        "prompt, is not timed. The decoders take turns, a token each."
    )
    weights = (
        f"Weights, masks and factors are random; U and V have {i.stack.rank_share:.2%} of the "
        "parameters, inside the budget. So few blocks make more tokens a second than a whole "
        "model: compare speedups, those without head above all."
        if i.stack
        else "Sparsity: 1 - kept share of the projections' parameters, factors counted as kept."
    )
    return (
        how,
        weights,
        "Speedup: over the faster dense decoder in the same prompt, median over prompts. The head "
        "stays dense everywhere. Tokens/s are medians over prompts.",
    )


def gpu_table() -> Table:
    """What ``benchmarks/gpu.py`` measured on one GPU, with a decode loop of its own."""
    path = resources.files("reports.reproduce") / "data" / "table5_gpu.csv"
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    columns = (
        Column("Blocks"),
        Column("Weights"),
        Column("Sparsity", ".0%"),
        Column("Tokens/s", ",.0f"),
        Column("Speedup", ".2f"),
        Column("Tokens/s without head", ",.0f"),
        Column("Speedup without head", ".2f"),
    )
    device, driver = rows[0]["device"], rows[0]["driver"]
    notes = (
        f"Not of this run: measured on one {device}, driver {driver}, by benchmarks/gpu.py, whose "
        "decode loop is its own (a CUDA graph for each token, batch 1) and not that of the table "
        f"above; {rows[0]['new_tokens']} tokens, bf16, random weights, U and V inside the budget.",
        "Speedup: over the fastest dense stack of as many blocks. docs/gpu.md says all of it.",
    )
    cells = tuple(_gpu_row(row, rows) for row in rows)
    title = f"Tokens a second in generation on {device}, LLaMA2-7B's shape"
    return Table("table5-gpu", title, columns, cells, notes)


def _gpu_row(row: dict[str, str], rows: list[dict[str, str]]) -> tuple[Cell, ...]:
    dense = [r for r in rows if r["blocks"] == row["blocks"] and float(r["sparsity"]) == 0]
    cells: list[Cell] = [int(row["blocks"]), row["weights"], float(row["sparsity"])]
    for field in ("seconds_per_token_with_head", "seconds_per_token"):
        seconds = float(row[field])
        cells += [1 / seconds, min(float(other[field]) for other in dense) / seconds]
    return tuple(cells)
