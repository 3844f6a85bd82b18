"""Perplexity over stored bits a weight: every method beside dense quantisation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from matplotlib.figure import Figure

from reports.reproduce.cells import measure
from reports.reproduce.comparison import (
    figure_title,
    limits_notes,
    perplexity_cells,
    perplexity_columns,
    title_of,
)
from reports.reproduce.recipes import Recipe, choice_of, method_of
from reports.reproduce.results import Measured, results_of
from reports.reproduce.study import Reproduced, Study, text_names
from sslc.compression.plan import DENSE as UNTOUCHED
from sslc.compression.preparation import prepare
from sslc.methods.registry import QUANTIZERS
from workloads.results.identity import DENSE
from workloads.results.palette import SERIES
from workloads.results.table import Cell, Column, Table

_METHODS = ("wanda", "sslc")
_FORMATS = ({"value_bits": 8, "factor_bits": 8}, {"value_bits": 4, "factor_bits": 8})
_QUANTISED = ({"value_bits": 8}, {"value_bits": 4}, {"value_bits": 4, "scale_columns": 32})
_MARKERS = "osD^vP"


@dataclass(frozen=True)
class Point:
    """A model of some size.

    Attributes:
        method: Registered.
        stored: How, in a few words.
        bits: Stored for a weight of the compressed projections: mask, values, scales, factors.
        measured: Its perplexities.
    """

    method: str
    stored: str
    bits: float
    measured: Measured


def bits(study: Study) -> Reproduced:
    """Perplexity over stored bits a weight, dense quantisation by RTN and GPTQ beside the methods.

    A method wins where no dense model of at most as many bits has a lower perplexity.
    """
    asked: list[tuple[str, Mapping[str, Any]]] = [
        (method, stored) for method in study.methods or _METHODS for stored in _FORMATS
    ]
    asked += [(method, stored) for method in sorted(QUANTIZERS) for stored in _QUANTISED]
    dense = measure(study, Recipe(DENSE), label="bits dense")
    points = []
    for step, (method, stored) in enumerate(asked, start=1):
        recipe, words = Recipe(method, stored), _words(stored)
        label = f"bits {step}/{len(asked)} {method} {words}"
        measured = measure(study, recipe, label=label)
        points.append(Point(method, words, bits_of(study, recipe), measured))
    points.sort(key=lambda point: -point.bits)
    results = results_of((dense, *(point.measured for point in points)))
    table = _table(study, points, dense=dense, notes=limits_notes(study, results))
    return Reproduced((table,), results, {"bits": bits_figure(study, points, dense=dense)})


def bits_of(study: Study, recipe: Recipe) -> float:
    """Stored bits a weight of the projections that a recipe compresses, from their shapes.

    Args:
        study: Of the model.
        recipe: Method and formats.

    Raises:
        InputError: A budget does not fit a projection.
    """
    prepared = prepare(
        study.checkpoint,
        method_of(study, recipe),
        dtype="auto",
        device=torch.device("cpu"),
        choice=choice_of(study, recipe),
    )
    compressed = [
        estimate
        for estimate, (_, _, method) in zip(prepared.estimates, prepared.plan, strict=True)
        if method is not UNTOUCHED
    ]
    stored = sum(estimate.stored_bytes for estimate in compressed)
    return 8 * stored / sum(estimate.m * estimate.n for estimate in compressed)


def rival(points: Sequence[Point], point: Point, text: str) -> Point | None:
    """The best dense quantised model of at most as many bits; None where there is none.

    Args:
        points: All.
        point: Of a method.
        text: On which perplexities are compared.
    """
    within = [p for p in points if p.method in QUANTIZERS and p.bits <= point.bits]
    return min(within, key=lambda p: p.measured.perplexities[text], default=None)


def _words(stored: Mapping[str, Any]) -> str:
    words = f"int{stored['value_bits']}"
    if "factor_bits" in stored:
        words += f" / int{stored['factor_bits']}"
    return words + (f", groups of {stored['scale_columns']}" if "scale_columns" in stored else "")


def _table(
    study: Study, points: Sequence[Point], *, dense: Measured, notes: Sequence[str]
) -> Table:
    rows: list[tuple[Cell, ...]] = [
        ("Dense", "as it is", None, *perplexity_cells(study, dense), "")
    ]
    for point in points:
        cells = perplexity_cells(study, point.measured)
        said = "" if point.method in QUANTIZERS else _verdict(study, points, point)
        rows.append((title_of(point.method), point.stored, point.bits, *cells, said))
    columns = (
        Column("Method"),
        Column("Stored"),
        Column("Bits a weight", ".2f"),
        *perplexity_columns(study),
        Column("Against dense quantised of at most as many bits"),
    )
    bits_note = (
        "Bits: bytes of mask, values, scales, U and V over the parameters of the compressed "
        "projections. Stored: values of S / factors; scales for 128 columns unless said."
    )
    title = f"Perplexity over stored bits: {study.model_name}"
    return Table("bits", title, columns, tuple(rows), (*notes, bits_note))


def _verdict(study: Study, points: Sequence[Point], point: Point) -> str:
    """On which texts a method wins, and by which dense model it is beaten elsewhere."""
    said = []
    for text, name in text_names(study.texts).items():
        other = rival(points, point, text)
        if other is None:
            said.append(f"{name}: none is as small")
            continue
        own, theirs = point.measured.perplexities[text], other.measured.perplexities[text]
        against = f"{title_of(other.method)} {other.stored}"
        said.append(f"{name}: {'wins over' if own < theirs else 'loses to'} {against}")
    return "; ".join(said)


def bits_figure(study: Study, points: Sequence[Point], *, dense: Measured) -> Figure:
    """The figure of ``bits``, for the study's first text.

    Args:
        study: Of the model.
        points: Drawn in a colour for each method; dense quantisation as a line.
        dense: The model as it is, a horizontal line.
    """
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    text, name = next(iter(text_names(study.texts).items()))
    for index, method in enumerate(dict.fromkeys(point.method for point in points)):
        of_method = [point for point in points if point.method == method]
        axes.plot(
            [point.bits for point in of_method],
            [point.measured.perplexities[text] for point in of_method],
            color=SERIES[index % len(SERIES)][0], marker=_MARKERS[index % len(_MARKERS)],
            linestyle="-" if method in QUANTIZERS else "none", label=title_of(method),
        )  # fmt: skip
    axes.axhline(dense.perplexities[text], color="#777777", linewidth=1, label="dense")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.set_xlabel("stored bits a weight")
    axes.set_ylabel(f"perplexity on {name} (log scale)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(figure_title(study), fontsize=10)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure
