"""Perplexities of models and methods."""

from collections.abc import Sequence

from reports.tables.labels import columns, split, versions
from workloads.results.identity import distinguished, method_labels
from workloads.results.kinds import PerplexityResult, TextIdentity
from workloads.results.table import Column, Table
from workloads.texts.protocols import named_by

_COLUMNS = (
    Column("Model"),
    Column("Method"),
    Column("Kept", ".0%"),
    Column("Perplexity", ".2f"),
    Column("Text"),
    Column("Predicted", ",d"),
    Column("Window", ",d"),
    Column("Stride", ",d"),
    Column("Numbers are"),
)
_NOTE = (
    "Perplexity over Predicted tokens, each seen after those before it in its window; windows "
    "start every Stride tokens, and do not overlap where Stride is the Window. Kept is the "
    "share of the projections' parameters, low-rank factors included. Compare rows of the same "
    "text, window, stride and predicted tokens only."
)


def perplexity_table(results: Sequence[PerplexityResult]) -> Table:
    """Perplexities, those that may be compared next to each other.

    Args:
        results: Of any models, texts and windows; sorted by text and windows, then as given.
    """
    ordered = sorted(results, key=_comparable)
    identities = [result.identity for result in ordered]
    texts = distinguished([i.text.source for i in identities], [i.text.sha256 for i in identities])
    labels = method_labels([identity.subject for identity in identities])
    varying, shared = split(
        {
            "Dtype": [identity.dtype for identity in identities],
            "Device": [identity.device for identity in identities],
            "Version": versions([result.provenance for result in ordered]),
        }
    )
    rows = tuple(
        (
            result.identity.subject.model,
            label,
            result.identity.subject.kept_fraction,
            result.perplexity,
            text,
            result.predicted_tokens,
            result.identity.text.window_tokens,
            result.identity.text.stride_tokens,
            "measured",
            *(cells[index] for cells in varying.values()),
        )
        for index, (result, label, text) in enumerate(zip(ordered, labels, texts, strict=True))
    )
    told = "; ".join(f"{name}: {value}" for name, value in shared.items())
    protocols = protocol_notes(texts, [identity.text for identity in identities])
    notes = (_NOTE, *protocols, *((f"{told}.",) if told else ()))
    columns_of_all = (*_COLUMNS, *columns(varying))
    return Table("perplexity", "Perplexity on held-out text", columns_of_all, rows, notes)


def protocol_notes(names_of_texts: Sequence[str], cuts: Sequence[TextIdentity]) -> list[str]:
    """Which perplexities are measured as published programs measure, by text and window.

    Args:
        names_of_texts: As a table calls each text.
        cuts: Each text and its windows.
    """
    found = {}
    for text, cut in zip(names_of_texts, cuts, strict=True):
        names = named_by(
            cut.source,
            cut.window_tokens,
            stride_tokens=cut.stride_tokens,
            max_tokens=cut.max_tokens,
        )
        if names:
            found[f"{text} in windows of {cut.window_tokens:,}"] = ", ".join(names)
    return [f"Protocol of {rows}: {names}." for rows, names in found.items()]


def _comparable(result: PerplexityResult) -> tuple[str, str, int, int, int]:
    text = result.identity.text
    return (
        text.source, text.sha256, text.window_tokens, text.stride_tokens, result.predicted_tokens
    )  # fmt: skip
