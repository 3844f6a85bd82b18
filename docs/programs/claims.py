"""What the paper claims, judged by the numbers of the demo model: for docs/results.md."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from accelerator_sim.models.cycles_result import CyclesResult
from reports.reproduce.block_results import (
    READINGS,
    BlockLosses,
    BlockNeeded,
    BlockSpreads,
    needed_by_projection,
)
from reports.reproduce.comparison import title_of
from reports.reproduce.results import CellPerplexity, RecipeIdentity
from workloads.results.identity import DENSE
from workloads.results.kinds import Result

Results = Sequence[Result]
Verdicts = list[tuple[str, str]]
ByText = dict[str, float]
"""Perplexity by the text's name."""
T = TypeVar("T")
SPEEDUP = 1.63
NOISE = 0.02
"""Relative gap of perplexities below which rounding alone can decide (docs/decisions.md)."""


def table1(results: Results) -> Verdicts:
    """SSLC against every other method, text by text."""
    cells = _by(results, lambda recipe: title_of(recipe.method))
    return [
        (f"SSLC below {name} in perplexity", _by_text(cells["SSLC"], cells[name]))
        for name in cells
        if name not in ("Dense", "SSLC")
    ]


def table2(results: Results) -> Verdicts:
    """Recovery lowers perplexity, and SSLC stays ahead of sparse methods with LoRA."""
    cells = _by(results, lambda recipe: (recipe.method, recipe.recovery is not None))
    methods = [method for method, recovered in cells if recovered]
    lowered = [
        (
            f"recovery lowers the perplexity of {name}",
            _by_text(cells[name, True], cells[name, False]),
        )
        for name in methods
    ]
    ahead = [
        (
            f"SSLC recovered is below {name} with LoRA",
            _by_text(cells["sslc", True], cells[name, True]),
        )
        for name in methods
        if name != "sslc"
    ]
    return lowered + ahead


def table3(results: Results) -> Verdicts:
    """Iterations help, and most of the gain is there at 40."""
    cells = _by(results, _setting("iterations"))
    return [
        ("40 iterations below the sparse method alone", _by_text(cells[40], cells[None])),
        ("40 iterations below 10", _by_text(cells[40], cells[10])),
        ("60 iterations below 40", _by_text(cells[60], cells[40])),
    ]


def table4(results: Results) -> Verdicts:
    """The speedup of at least 1.63, under each model of cycles."""
    rows = []
    for result in _only(results, CyclesResult):
        for module, mean in result.mean_per_block.items():
            speedup = mean.speedup or 0.0
            claim = f"{module} at least {SPEEDUP} times as fast, {result.basis}"
            rows.append((claim, f"{_holds(speedup >= SPEEDUP)}: {speedup:.2f}"))
    return rows


def table6(results: Results) -> Verdicts:
    """A small rank beats none and a larger one; factors alone fail."""
    cells = _by(results, _setting("rank_share"))
    shares = {share: cell for share, cell in cells.items() if share is not None}
    return [
        ("rank share 6.25% below S alone", _by_text(shares[0.0625], shares[0.0])),
        ("rank share 6.25% below 12.5%", _by_text(shares[0.0625], shares[0.125])),
        ("factors alone are the worst", _by_text(_highest(shares.values()), cells[None])),
    ]


def table7(results: Results) -> Verdicts:
    """Preserving 1% is best."""
    cells = _by(results, _setting("preserved_fraction"))
    return [
        (f"preserving 1% below {share:.0%}", _by_text(cells[0.01], cells[share]))
        for share in cells
        if share != 0.01
    ]


def table8(results: Results) -> Verdicts:
    """The order of the methods does not hang on the seed."""
    cells = _by(results, lambda recipe: (recipe.method, _seed(recipe)))
    rows = []
    for other in ("wanda", "dsnot"):
        ours, theirs = (
            [cell for (method, _), cell in cells.items() if method == name]
            for name in ("sslc", other)
        )
        for text in ours[0]:
            highest = max(cell[text] for cell in ours)
            lowest = min(cell[text] for cell in theirs)
            claim = f"every seed of SSLC below every seed of {other}, {text}"
            verdict = f"at most {highest:.2f}, at least {lowest:.2f}"
            rows.append((claim, f"{_holds(highest < lowest)}: {verdict}"))
    return rows


def table9(results: Results) -> Verdicts:
    """SSLC over a score is better than the score alone."""
    cells = _by(results, lambda recipe: (recipe.method, recipe.settings.get("score")))
    return [
        (
            f"{title_of(score)}+SSLC below {title_of(score)}",
            _by_text(cells["sslc", score], cells[score, None]),
        )
        for method, score in cells
        if method == "sslc"
    ]


def figure1(results: Results) -> Verdicts:
    """The low-rank part takes salience away."""
    rows = []
    for block in _only(results, BlockSpreads):
        for name, sides in block.projections.items():
            left = sides["after"].total / sides["before"].total
            claim = f"the low-rank part takes salience out of {name}"
            rows.append((claim, f"{_holds(left < 1)}: {left:.1%} is left"))
    return rows


def figure4(results: Results) -> Verdicts:
    """Together they need fewer parameters for 80% of the salience."""
    rows = []
    for reading in READINGS:
        shares = needed_by_projection(_only(results, BlockNeeded), reading)
        needed = [share for group in shares.values() for share in group]
        pruning = sum(share.pruning for share in needed) / len(needed)
        together = sum(share.synergistic for share in needed) / len(needed)
        claim = f"sparse and low-rank together need fewer parameters, {reading}"
        numbers = f"{together:.1%} against {pruning:.1%} (published 38.6, 42.3)"
        rows.append((claim, f"{_holds(together < pruning)}: {numbers}"))
    return rows


def figure5(results: Results) -> Verdicts:
    """The loss never rises."""
    lines = [block.mean_losses for block in _only(results, BlockLosses)]
    rises = sum(
        after > before * (1 + 1e-6) for line in lines for before, after in itertools.pairwise(line)
    )
    holds = "yes" if rises == 0 else f"**no**: {rises} rises"
    return [("the loss never rises (Appendix A), mean over each block", holds)]


def figure6(results: Results) -> Verdicts:
    """SSLC against the others at every ratio."""
    cells = _by(results, lambda recipe: (recipe.method, recipe.settings.get("kept_fraction")))
    return [
        (
            f"SSLC below {method} at {1 - kept:.0%} pruned",
            _by_text(cells["sslc", kept], cells[method, kept]),
        )
        for method, kept in cells
        if method not in (DENSE, "sslc")
    ]


def calibration(results: Results) -> Verdicts:
    """In-domain calibration helps in its domain; which methods gain most from it."""
    cells = _by(results, lambda recipe: (recipe.method, recipe.calibration))
    sizes = [c for method, c in cells if c is not None and method != "sslc"]
    rows = []
    for method, own in cells:
        if own not in sizes:
            continue
        assert own is not None
        text = _name(own.source)
        other = next(cells[method, c] for c in sizes if c.source != own.source)
        claim = f"{method}: calibrating on {text} is best for {text}"
        rows.append((claim, _compare(cells[method, own][text], other[text])))
    return rows


def _only(results: Results, cls: type[T]) -> list[T]:
    return [result for result in results if isinstance(result, cls)]


def _by(results: Results, key: Callable[[RecipeIdentity], Any]) -> dict[Any, ByText]:
    """Perplexities by text, by something of how the model was compressed."""
    cells: dict[Any, ByText] = {}
    for result in _only(results, CellPerplexity):
        text, value = _name(result.identity.text.source), result.perplexity
        cells.setdefault(key(result.identity.cell.recipe), {})[text] = value or float("inf")
    return cells


def _setting(name: str) -> Callable[[RecipeIdentity], Any]:
    """A setting of SSLC; None for another method."""
    return lambda recipe: recipe.settings[name] if recipe.method == "sslc" else None


def _seed(recipe: RecipeIdentity) -> int | None:
    return None if recipe.calibration is None else recipe.calibration.seed


def _highest(cells: Any) -> ByText:
    """The highest perplexity of some cells, text by text."""
    listed: list[ByText] = list(cells)
    return {text: max(cell[text] for cell in listed) for text in listed[0]}


def _by_text(mine: Mapping[str, float], theirs: Mapping[str, float]) -> str:
    return "; ".join(f"{text} {_compare(mine[text], theirs[text])}" for text in mine)


def _compare(mine: float, theirs: float) -> str:
    numbers = f"{mine:.2f} against {theirs:.2f}"
    if abs(mine - theirs) < NOISE * min(mine, theirs):
        return f"undecided ({numbers})"
    return f"{_holds(mine < theirs)} ({numbers})"


def _holds(true: bool) -> str:
    return "yes" if true else "**no**"


def _name(source: str) -> str:
    """A text without the part of it that was read."""
    return source.partition(":")[0]


CLAIMS: dict[str, Callable[[Results], Verdicts]] = {
    claim.__name__: claim
    for claim in (
        table1, table2, table3, table4, table6, table7, table8, table9,
        figure1, figure4, figure5, figure6, calibration,
    )
}  # fmt: skip
