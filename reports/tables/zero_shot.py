"""Zero-shot scores: the table of tasks by model."""

from collections.abc import Sequence

from reports.tables.labels import columns, split, versions
from workloads.results.identity import method_labels
from workloads.results.kinds import ZeroShotResult
from workloads.results.table import Cell, Column, Table

ACCURACY = "acc"
_NOTES = (
    "Scores by lm-evaluation-harness; SE is its standard error over the questions. acc picks the "
    "answer of the highest log-likelihood, acc_norm that of the highest per character. Kept is the "
    "share of the projections' parameters, low-rank factors included.",
)
_COLUMNS = (
    Column("Model"),
    Column("Method"),
    Column("Kept", ".0%"),
    Column("Task"),
    Column("Metric"),
    Column("Value", ".4f"),
    Column("SE", ".4f"),
    Column("Shots"),
    Column("Questions", ",d"),
    Column("Of", ",d"),
    Column("Numbers are"),
)


def zero_shot_table(results: Sequence[ZeroShotResult]) -> Table:
    """One row per model, task and metric; the mean accuracy where a model has several tasks.

    Args:
        results: Of any models and tasks; what differs gets a column.
    """
    identities = [result.identity for result in results]
    varying, _ = split(
        {
            "Dtype": [identity.dtype for identity in identities],
            "Device": [identity.device for identity in identities],
            "lm-eval": [identity.harness for identity in identities],
            "Version": versions([result.provenance for result in results]),
        }
    )
    labels = method_labels([identity.subject for identity in identities])
    by_subject: dict[tuple[Cell, ...], list[int]] = {}
    for index, (identity, method) in enumerate(zip(identities, labels, strict=True)):
        key = (identity.subject.model, method, identity.subject.kept_fraction)
        by_subject.setdefault(key, []).append(index)
    rows: list[tuple[Cell, ...]] = []
    for label, members in by_subject.items():
        for index in members:
            more = tuple(cells[index] for cells in varying.values())
            rows += [(*label, *cells, *more) for cells in _cells(results[index])]
        rows += _mean_row(label, [results[index] for index in members], len(varying))
    return Table(
        "zero_shot", "Zero-shot tasks", (*_COLUMNS, *columns(varying)), tuple(rows), _NOTES
    )


def _cells(result: ZeroShotResult) -> list[tuple[Cell, ...]]:
    asked = (result.identity.shots, result.documents, result.of_documents)
    return [
        (result.identity.task, metric.name, metric.value, metric.stderr, *asked, "measured")
        for metric in result.metrics
    ]


def _mean_row(
    label: tuple[Cell, ...], tasks: Sequence[ZeroShotResult], more: int
) -> list[tuple[Cell, ...]]:
    """The mean accuracy; none where a task stands twice, since that mixes settings."""
    names = [task.identity.task for task in tasks]
    values = [metric.value for task in tasks for metric in task.metrics if metric.name == ACCURACY]
    if len(values) < 2 or len(set(names)) < len(names):
        return []
    name = f"mean of {len(values)} tasks"
    mean = sum(values) / len(values)
    empty: tuple[Cell, ...] = (None,) * more
    return [(*label, name, ACCURACY, mean, None, None, None, None, "measured", *empty)]
