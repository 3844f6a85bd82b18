"""What the paper claims, judged by the numbers of the demo model: for docs/results.md."""

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Verdicts = list[tuple[str, str]]
NOISE = 0.02
"""Relative gap of perplexities below which rounding alone can decide (docs/decisions.md)."""


def table1(results: Any) -> Verdicts:
    """SSLC against every other method, text by text."""
    found = {line["label"][0]: line["measured"]["perplexities"] for line in results}
    others = [name for name in found if name not in ("Dense", "SSLC")]
    return [
        (f"SSLC below {name} in perplexity", _by_text(found["SSLC"], found[name]))
        for name in others
    ]


def table2(results: Any) -> Verdicts:
    """Recovery lowers perplexity, and SSLC stays ahead of sparse methods with LoRA."""
    methods = [name for name in results if name not in ("training", "dense")]
    after = {name: results[name]["after"]["perplexities"] for name in methods}
    before = {name: results[name]["before"]["perplexities"] for name in methods}
    lowered = [
        (f"recovery lowers the perplexity of {name}", _by_text(after[name], before[name]))
        for name in methods
    ]
    ahead = [
        (f"SSLC recovered is below {name} with LoRA", _by_text(after["sslc"], after[name]))
        for name in methods
        if name != "sslc"
    ]
    return lowered + ahead


def table3(results: Any) -> Verdicts:
    """Iterations help, and most of the gain is there at 40."""
    found = _by_label(results)
    return [
        ("40 iterations below the sparse method alone", _by_text(found["40"], found["0 (Wanda)"])),
        ("40 iterations below 10", _by_text(found["40"], found["10"])),
        ("60 iterations below 40", _by_text(found["60"], found["40"])),
    ]


def table4(results: Any) -> Verdicts:
    """The speedup of at least 1.63, under each model of cycles."""
    rows = []
    for result in results:
        for module, mean in result["mean_per_block"].items():
            speedup = mean["dense_cycles"] / mean["sum_cycles"]
            holds = "yes" if speedup >= 1.63 else "**no**"
            claim = f"{module} at least 1.63 times as fast, {result['provenance']}"
            rows.append((claim, f"{holds}: {speedup:.2f}"))
    return rows


def table6(results: Any) -> Verdicts:
    """A small rank beats none and a larger one; factors alone fail."""
    found = _by_label(results)
    pure = next(name for name in found if name.startswith("rank "))
    return [
        ("rank share 6.25% below S alone", _by_text(found["6.25%"], found["0.00%"])),
        ("rank share 6.25% below 12.5%", _by_text(found["6.25%"], found["12.50%"])),
        ("factors alone are the worst", _by_text(_worst(found, pure), found[pure])),
    ]


def table7(results: Any) -> Verdicts:
    """Preserving 1% is best."""
    found = _by_label(results)
    return [
        (f"preserving 1% below {other}", _by_text(found["1%"], found[other]))
        for other in found
        if other != "1%"
    ]


def table8(results: Any) -> Verdicts:
    """The order of the methods does not hang on the seed."""
    runs = {
        name: [run["perplexities"] for run in results[name]] for name in ("wanda", "dsnot", "sslc")
    }
    rows = []
    for other in ("wanda", "dsnot"):
        for text in runs["sslc"][0]:
            worst = max(run[text] for run in runs["sslc"])
            best = min(run[text] for run in runs[other])
            claim = f"every seed of SSLC below every seed of {other}, {_name(text)}"
            holds = "yes" if worst < best else "**no**"
            rows.append((claim, f"{holds}: at most {worst:.2f}, at least {best:.2f}"))
    return rows


def table9(results: Any) -> Verdicts:
    """SSLC over a score is better than the score alone."""
    found = _by_label(results)
    return [
        (f"{name}+SSLC below {name}", _by_text(found[f"{name}+SSLC"], found[name]))
        for name in found
        if not name.endswith("+SSLC")
    ]


def figure1(results: Any) -> Verdicts:
    """The low-rank part takes salience away."""
    rows = []
    for name, sides in results["projections"].items():
        left = sides["after"]["total"] / sides["before"]["total"]
        holds = "yes" if left < 1 else "**no**"
        claim = f"the low-rank part takes salience out of {name}"
        rows.append((claim, f"{holds}: {left:.1%} is left"))
    return rows


def figure4(results: Any) -> Verdicts:
    """Together they need fewer parameters for 80% of the salience."""
    rows = []
    for reading, found in _figure4_means(results).items():
        pruning, together = found
        holds = "yes" if together < pruning else "**no**"
        claim = f"sparse and low-rank together need fewer parameters, {reading}"
        rows.append(
            (claim, f"{holds}: {together:.1%} against {pruning:.1%} (published 38.6, 42.3)")
        )
    return rows


def figure5(results: Any) -> Verdicts:
    """The loss never rises."""
    losses = [mean for block in results for mean in [block["mean_losses"]]]
    rises = sum(b > a * (1 + 1e-6) for line in losses for a, b in itertools.pairwise(line))
    holds = "yes" if rises == 0 else f"**no**: {rises} rises"
    return [("the loss never rises (Appendix A), mean over each block", holds)]


def figure6(results: Any) -> Verdicts:
    """SSLC against the others at every ratio."""
    rows = []
    for other in [name for name in results if name not in ("dense", "sslc")]:
        for ratio in results["sslc"]:
            mine, theirs = (results[name][ratio]["perplexities"] for name in ("sslc", other))
            rows.append(
                (f"SSLC below {other} at {float(ratio):.0%} pruned", _by_text(mine, theirs))
            )
    return rows


def calibration(results: Any) -> Verdicts:
    """In-domain calibration helps in its domain; which methods gain most from it."""
    rows = []
    for method in dict.fromkeys(cell["method"] for cell in results["matrix"]):
        cells = {
            cell["calibration"]: cell["perplexities"]
            for cell in results["matrix"]
            if cell["method"] == method
        }
        for text, found in cells.items():
            other = next(found for name, found in cells.items() if name != text)
            claim = f"{method}: calibrating on {_name(text)} is best for {_name(text)}"
            rows.append((claim, _compare(found[text], other[text])))
    return rows


def _by_label(results: Any) -> dict[str, dict[str, float]]:
    return {line["label"][0]: line["measured"]["perplexities"] for line in results}


def _worst(found: Mapping[str, Mapping[str, float]], but: str) -> dict[str, float]:
    """The highest perplexity of all rows but one, text by text."""
    others = [each for name, each in found.items() if name != but]
    return {text: max(each[text] for each in others) for text in others[0]}


def _by_text(mine: Mapping[str, float], theirs: Mapping[str, float]) -> str:
    return "; ".join(f"{_name(text)} {_compare(mine[text], theirs[text])}" for text in mine)


def _compare(mine: float, theirs: float) -> str:
    numbers = f"{mine:.2f} against {theirs:.2f}"
    if abs(mine - theirs) < NOISE * min(mine, theirs):
        return f"undecided ({numbers})"
    return f"yes ({numbers})" if mine < theirs else f"**no** ({numbers})"


def _name(text: str) -> str:
    return Path(text.rpartition(":")[2]).name


def _figure4_means(results: Any) -> dict[str, tuple[float, float]]:
    """Mean shares over all matrices, pruning only and together, by reading of salience."""
    needed = [each for block in results["blocks"] for each in block["projections"].values()]
    means = {}
    for reading in needed[0]:
        pruning = [each[reading]["pruning"] for each in needed]
        together = [each[reading]["low_rank"] + each[reading]["sparse"] for each in needed]
        means[reading] = (sum(pruning) / len(needed), sum(together) / len(needed))
    return means


CLAIMS: dict[str, Callable[[Any], Verdicts]] = {
    each.__name__: each
    for each in (
        table1, table2, table3, table4, table6, table7, table8, table9,
        figure1, figure4, figure5, figure6, calibration,
    )
}  # fmt: skip
