"""A small task in lm-eval's format, and its accuracies computed with transformers alone."""

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

THINGS = ("a dog", "the sea", "a list", "an integer", "two modules", "a very long class name")
QUESTIONS = 24


@dataclass(frozen=True)
class Task:
    """A task file and its questions: text before the answer, answers, place of the right one."""

    file: Path
    questions: list[tuple[str, list[str], int]]


def write_task(folder: Path, name: str = "which") -> Task:
    """A multiple-choice task with its JSONL, both in the folder, and datasets' cache with them."""
    draw = random.Random(7)
    rows: list[dict[str, Any]] = []
    for number in range(QUESTIONS):
        answers = draw.sample(THINGS, 3)
        ask = f"Number {number} asks for {draw.choice(THINGS)}."
        rows.append({"ask": ask, "answers": answers, "right": draw.randrange(3)})
    data = folder / f"{name}.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    definition = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": str(data), "cache_dir": str(folder / "cache")},
        "output_type": "multiple_choice",
        "test_split": "train",
        "fewshot_split": "train",
        "doc_to_text": "{{ask}}\nAnswer:",
        "doc_to_choice": "{{answers}}",
        "doc_to_target": "right",
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
        "metadata": {"version": 3.5},
    }
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(definition))
    return Task(file, [(f"{row['ask']}\nAnswer:", row["answers"], row["right"]) for row in rows])


def accuracies(model: Any, tokenizer: Any, task: Task) -> tuple[float, float]:
    """acc and acc_norm: the likeliest answer, and the likeliest per character."""
    right, right_normed = [], []
    for before, answers, place in task.questions:
        scores = [_log_likelihood(model, tokenizer, before, f" {answer}") for answer in answers]
        normed = [s / len(answer) for s, answer in zip(scores, answers, strict=True)]
        right.append(np.argmax(scores) == place)
        right_normed.append(np.argmax(normed) == place)
    return float(np.mean(right)), float(np.mean(right_normed))


def _log_likelihood(model: Any, tokenizer: Any, before: str, after: str) -> float:
    given = len(tokenizer(before).input_ids)
    ids = torch.tensor(tokenizer(before + after).input_ids)
    with torch.no_grad():
        logs = model(ids[None]).logits[0].double().log_softmax(-1)
    places = range(given, len(ids))
    return sum(float(logs[place - 1, ids[place]]) for place in places)
