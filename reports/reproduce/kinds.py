"""Every class of result that ``sslc reproduce`` may print or write, for the schema that ships."""

from typing import Any

from accelerator_sim.models.cycles_result import CyclesResult
from reports.reproduce.block_results import BlockLosses, BlockNeeded, BlockSpreads
from reports.reproduce.decoding_results import DecodeResult
from reports.reproduce.results import CellFacts, CellPerplexity, CellScores, CurveResult

KINDS: tuple[type[Any], ...] = (
    CellFacts, CellPerplexity, CellScores, CyclesResult, CurveResult,
    BlockSpreads, BlockNeeded, BlockLosses, DecodeResult,
)  # fmt: skip
