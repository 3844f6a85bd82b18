"""Zero-shot accuracies through lm-evaluation-harness (extra ``eval``), imported when needed.

A task is one of lm-eval's by name, a task file in its YAML format, or a folder of such files.
"""

import contextlib
import difflib
import functools
import logging
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sslc.model.config import load_tokenizer
from sslc.model.finite import is_finite, not_finite
from sslc.model.loading import load_whole
from sslc.model.source import WeightSource, torch_dtype
from workloads.results.kinds import Metric
from workloads.support.errors import InputError
from workloads.support.extras import missing
from workloads.support.progress import Progress, silent

# The tasks of SSLC's Tables 1, 2 and 10.
PUBLISHED_TASKS = ("piqa", "boolq", "hellaswag", "winogrande", "arc_easy", "arc_challenge")
_READ_NAMES = "read the names of lm-eval's tasks"
_RANDOM_SEED, _OTHER_SEED = 0, 1234  # lm-eval's own defaults


@dataclass(frozen=True)
class TaskScore:
    """What lm-eval found on one task.

    Attributes:
        task: Its name in lm-eval.
        version: Of its definition.
        shots: Examples put before each question.
        documents: Questions asked.
        of_documents: Questions there are.
        metrics: Such as ``acc`` and ``acc_norm`` (the likelihood per character decides).
    """

    task: str
    version: str
    shots: int
    documents: int
    of_documents: int
    metrics: tuple[Metric, ...]


@dataclass(frozen=True)
class ZeroShotSettings:
    """How tasks are run.

    Attributes:
        limit: Ask at most so many questions of each task; None asks all.
        shots: Examples before each question; None for the task's own number, mostly 0. A task
            that fixes 0 keeps it.
        batch_size: Sequences at once.
        dtype: Of the model: ``F32``, ``BF16`` or ``F16``.
    """

    limit: int | None = None
    shots: int | None = None
    batch_size: int = 8
    dtype: str = "F32"


def zero_shot(
    source: WeightSource,
    tasks: Sequence[str],
    *,
    settings: ZeroShotSettings | None = None,
    device: torch.device | None = None,
    progress: Progress = silent,
) -> list[TaskScore]:
    """Scores of a model on lm-eval's tasks, in the order of the tasks.

    The whole model is in memory; an artifact's projections stay S, U and V.

    Args:
        source: A checkpoint, an artifact, or a base with its adapter.
        tasks: Names, task files or folders of task files.
        settings: How they are run.
        device: Where the model runs.
        progress: Told after every batch.

    Raises:
        InputError: lm-eval is not installed, a task is unknown or broken, its data cannot be had,
            or the model cannot be loaded.
    """
    settings = settings or ZeroShotSettings()
    dtype = torch_dtype(settings.dtype)
    _require_lm_eval()
    with _quiet():
        loaded = load_tasks(tasks, settings.shots, progress=progress)
        progress("load the model", 0, 1)
        model = load_whole(source, dtype).to(device or "cpu")
        progress("load the model", 1, 1)
        tokenizer = load_tokenizer(source.directory)
        harness = _harness(source, model, tokenizer, settings.batch_size, progress)
        return [
            score
            for name, tasks_of_name in loaded.items()
            for score in _run(harness, name, tasks_of_name, settings.limit)
        ]


def load_tasks(
    tasks: Sequence[str], shots: int | None = None, *, progress: Progress = silent
) -> dict[str, Any]:
    """lm-eval's task objects by what was asked for, their data read.

    Args:
        tasks: Names, task files or folders of task files.
        shots: As ``ZeroShotSettings.shots``.
        progress: Told before and after lm-eval's thousands of task files are read.

    Raises:
        InputError: A task is unknown or broken, or its data cannot be had.
    """
    wanted = list(dict.fromkeys(path for task in tasks for path in _expand(task)))
    by_name = [task for task in wanted if not Path(task).is_file()]
    if by_name:
        progress(_READ_NAMES, 0, 1)
    manager = _manager(bool(by_name))
    for task in by_name:
        if task not in manager.task_index:
            raise _unknown_task(task, manager.all_tasks)
    if by_name:
        progress(_READ_NAMES, 1, 1)
    _seed()
    return {task: _with_shots(_load_task(manager, task), shots) for task in wanted}


@functools.cache
def _manager(with_names: bool) -> Any:
    """lm-eval's finder of tasks; reading the names of its thousands takes seconds."""
    from lm_eval.tasks import TaskManager

    return TaskManager(include_defaults=with_names)


def _expand(task: str) -> list[str]:
    """The files of the tasks that lm-eval finds in a folder; anything else is itself."""
    from lm_eval.tasks import TaskManager

    path = Path(task)
    if path.is_dir():
        manager = TaskManager(include_path=path, include_defaults=False)
        if not manager.all_subtasks:
            raise InputError(f"task folder {task}: lm-eval finds no task in it (*.yaml)")
        return [str(manager.task_index[name].yaml_path) for name in manager.all_subtasks]
    if path.suffix in (".yaml", ".yml") and not path.is_file():
        raise InputError(f"task file {task}: no such file")
    return [task]


def _load_task(manager: Any, task: str) -> Any:
    try:
        return manager.load([task])
    except ConnectionError as error:
        raise InputError(
            f"task {task}: its data are not in the cache and the hub cannot be reached ({error}); "
            "without the hub give a task file with dataset_path: json and data_files "
            "(docs/evaluation.md shows one)"
        ) from error
    except _task_errors() as error:
        raise InputError(f"task {task}: {type(error).__name__}: {error}") from error


def _task_errors() -> tuple[type[Exception], ...]:
    """What a task file that is not right, or data that do not fit it, make lm-eval raise."""
    from datasets.exceptions import DatasetsError
    from jinja2 import TemplateError
    from yaml import YAMLError

    named = (DatasetsError, TemplateError, YAMLError)
    return (OSError, ValueError, TypeError, LookupError, AttributeError, ImportError, *named)


def _unknown_task(task: str, known: Sequence[str]) -> InputError:
    near = difflib.get_close_matches(task, known, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return InputError(
        f"unknown task {task!r}: {hint}lm-eval knows {len(known):,} names "
        f"(`lm-eval ls tasks`), among them {', '.join(PUBLISHED_TASKS)}; "
        "or give a task file (.yaml) or a folder of them"
    )


def _with_shots(loaded: Any, shots: int | None) -> Any:
    """Set examples and seed as ``lm_eval.simple_evaluate`` does."""
    for name, task in loaded["tasks"].items():
        if getattr(task, "UNSAFE_CODE", False):
            raise InputError(f"task {name}: it runs code that the model writes; not done here")
        own = task.get_config("num_fewshot")
        if own is None or (shots is not None and own != 0):
            task.set_config(key="num_fewshot", value=shots or 0)
        _check_shots(name, task)
        task.set_fewshot_seed(seed=_OTHER_SEED)
    return loaded


def _check_shots(name: str, task: Any) -> None:
    """Refuse more examples than the task has besides the question itself."""
    shots, split = task.get_config("num_fewshot"), task.get_config("fewshot_split")
    if not shots:
        return
    tested = task.get_config("test_split") or task.get_config("validation_split")
    there = len(task.fewshot_docs())
    most = there - 1 if split in (None, tested) else there
    if shots > most:
        raise InputError(f"task {name}: --shots must be at most {most}, its examples, got {shots}")


def _harness(
    source: WeightSource, model: Any, tokenizer: Any, batch_size: int, progress: Progress
) -> Any:
    """lm-eval's wrapper of a transformers model, which says how far it is."""
    from lm_eval.models.huggingface import HFLM

    class Reporting(HFLM):  # type: ignore[misc]
        stage, done, total = "evaluate", 0, 0

        def loglikelihood(self, requests: Any, disable_tqdm: bool = True) -> Any:
            self.done, self.total = 0, len(requests)
            progress(self.stage, 0, self.total)
            answers = super().loglikelihood(requests, disable_tqdm=disable_tqdm)
            progress(self.stage, self.total, self.total)
            return answers

        def _model_call(self, inps: torch.Tensor, **rest: Any) -> torch.Tensor:
            logits: torch.Tensor = super()._model_call(inps, **rest)
            if not is_finite(logits):
                raise not_finite(source)
            self.done = min(self.done + len(inps), self.total)
            progress(self.stage, self.done, self.total)
            return logits

    own = (tokenizer.bos_token_id, tokenizer.eos_token_id)  # one of which lm-eval needs
    return Reporting(
        pretrained=model,
        tokenizer=tokenizer,
        backend="causal",
        batch_size=batch_size,
        prefix_token_id=model.config.bos_token_id if own == (None, None) else None,
    )


def _run(harness: Any, name: str, loaded: Any, limit: int | None) -> list[TaskScore]:
    from lm_eval.evaluator import evaluate

    harness.stage = f"evaluate {Path(name).stem}"
    try:
        results = evaluate(lm=harness, task_dict=loaded, limit=limit, log_samples=False)
    except InputError:
        raise
    except _task_errors() as error:
        raise InputError(f"task {name}: {type(error).__name__}: {error}") from error
    return [
        _score(task, values, results)
        for task, values in results["results"].items()
        if any("," in key for key in values)
    ]


def _score(task: str, values: dict[str, Any], results: Any) -> TaskScore:
    counts = results["n-samples"]
    members = [counts[task]] if task in counts else list(counts.values())  # a group has no count
    shots = results["n-shot"].get(task)
    metrics = []
    for key, value in values.items():
        metric, comma, kind = key.partition(",")
        if comma and not metric.endswith("_stderr") and isinstance(value, (int, float)):
            stderr = values.get(f"{metric}_stderr,{kind}")
            name = metric if kind == "none" else f"{metric} ({kind})"
            known = float(stderr) if isinstance(stderr, (int, float)) else None
            metrics.append(Metric(name, float(value), known))
    return TaskScore(
        task,
        str(results["versions"].get(task, "")),
        int(shots or 0),
        sum(count["effective"] for count in members),
        sum(count["original"] for count in members),
        tuple(metrics),
    )


def _require_lm_eval() -> None:
    try:
        import lm_eval  # noqa: F401
    except ImportError as error:
        raise missing("zero-shot tasks need", "lm-evaluation-harness", "eval") from error


def _seed() -> None:
    """Seed the generators that task files draw from, as ``lm_eval.simple_evaluate`` does."""
    random.seed(_RANDOM_SEED)
    np.random.seed(_OTHER_SEED)
    torch.manual_seed(_OTHER_SEED)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence remarks and bars of lm-eval and datasets; what they print goes to standard error."""
    import datasets

    logger = logging.getLogger("lm_eval")
    level = logger.level
    logger.setLevel(logging.ERROR)
    datasets.disable_progress_bars()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        logger.setLevel(level)
        datasets.enable_progress_bars()
