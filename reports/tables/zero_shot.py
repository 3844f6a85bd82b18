"""Zero-shot scores: the result of a task, and the table of tasks by model."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from reports.stored.files import Subject
from sslc.evaluation.zero_shot import TaskScore, ZeroShotSettings
from workloads.results.table import Cell, Column, Table

ACCURACY = "acc"
_NOTES = (
    "Scores by lm-evaluation-harness; SE is its standard error over the questions. acc picks the "
    "answer of the highest log-likelihood, acc_norm that of the highest per character. Kept is the "
    "share of the projections' parameters, low-rank factors included.",
)


def zero_shot_result(
    subject: Subject, score: TaskScore, settings: ZeroShotSettings
) -> dict[str, Any]:
    """A task's score with its subject, for the file."""
    return {
        "kind": "zero_shot",
        "subject": asdict(subject),
        "provenance": "measured",
        **asdict(score),
        "limit": settings.limit,
        "dtype": settings.dtype,
    }


def zero_shot_table(results: Iterable[dict[str, Any]]) -> Table:
    """One row per model, task and metric; the mean accuracy where a model has several tasks."""
    rows: list[tuple[Cell, ...]] = []
    by_subject: dict[tuple[Cell, ...], list[dict[str, Any]]] = {}
    for result in results:
        subject = result["subject"]
        key = (subject["model"], subject["method"], subject["kept_fraction"])
        by_subject.setdefault(key, []).append(result)
    for label, tasks in by_subject.items():
        for task in tasks:
            asked: tuple[Cell, ...] = (task["shots"], task["documents"], task["of_documents"])
            for metric in task["metrics"]:
                name, value, error = metric["name"], metric["value"], metric["stderr"]
                rows.append((*label, task["task"], name, value, error, *asked, "measured"))
        rows += _mean_row(label, tasks)
    columns = (
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
    return Table("zero_shot", "Zero-shot tasks", columns, tuple(rows), _NOTES)


def _mean_row(label: tuple[Cell, ...], tasks: Sequence[dict[str, Any]]) -> list[tuple[Cell, ...]]:
    values = [
        metric["value"]
        for task in tasks
        for metric in task["metrics"]
        if metric["name"] == ACCURACY
    ]
    if len(values) < 2:
        return []
    name = f"mean of {len(values)} tasks"
    mean = sum(values) / len(values)
    return [(*label, name, ACCURACY, mean, None, None, None, None, "measured")]
