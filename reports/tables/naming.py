"""What people call models, methods and machines in tables and figures, in place of stored names.

Only what is shown is renamed: files of results keep what they have, so their hashes stay.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from reports.stored.files import AnyResult
from workloads.results.identity import DENSE, MachineIdentity, Subject, method_labels
from workloads.support.errors import InputError, unknown_name

R = TypeVar("R", bound=AnyResult)


def renamed(results: Sequence[R], names: Sequence[str]) -> tuple[R, ...]:
    """Results whose identities have names that people gave.

    Args:
        results: As stored.
        names: ``OLD=NEW``, where OLD is a model, a method or a machine as the tables call it now;
            ``NEW`` alone is for the model, where all results are of one.

    Raises:
        InputError: OLD occurs nowhere, or NEW alone could be for several models.
    """
    if not names:
        return tuple(results)
    identities = [result.identity for result in results]
    methods = _methods([s for i in identities if isinstance(s := _subject(i), Subject)])
    models = list(dict.fromkeys([key[0] for key in methods] + _swept_models(identities)))
    machines = [m for i in identities if isinstance(m := _machine(i), MachineIdentity)]
    known = {
        *models,
        *(word for key, label in methods.items() for word in (key[1], label)),
        *(word for machine in machines for word in (machine.name, machine.label)),
    } - {DENSE}
    changes = dict(_read(text, models, known) for text in names)
    return tuple(_renamed(result, changes, methods) for result in results)


_Methods = Mapping[tuple[str, str, str], str]


def _methods(subjects: Sequence[Subject]) -> _Methods:
    """What tables call the method of each subject, by model, method and hash."""
    labels = method_labels(subjects)
    return {_key(subject): label for subject, label in zip(subjects, labels, strict=True)}


def _key(subject: Subject) -> tuple[str, str, str]:
    return subject.model, subject.method, subject.sha256


def _subject(identity: Any) -> object:
    return getattr(identity, "subject", None)


def _machine(identity: Any) -> object:
    return getattr(identity, "machine", None)


def _workload(identity: Any) -> Mapping[str, Any]:
    """Of a sweep: what runs, by the name of its source."""
    found = getattr(identity, "workload", None)
    return found if isinstance(found, Mapping) else {}


def _swept_models(identities: Iterable[Any]) -> list[str]:
    return [str(work["model"]) for i in identities if "model" in (work := _workload(i))]


def _read(text: str, models: Sequence[str], known: Iterable[str]) -> tuple[str, str]:
    old, equals, new = text.rpartition("=")
    if not new.strip():
        raise InputError(f"--name {text!r}: write NEW or OLD=NEW")
    if equals and old not in known:
        raise unknown_name("model, method or machine", old, known)
    if not equals and len(models) != 1:
        there = " and ".join(models) or "none"
        raise InputError(
            f"--name {new}: the results are of several models ({there}); write OLD=NEW"
        )
    return (old if equals else models[0]), new.strip()


def _renamed(result: R, changes: Mapping[str, str], methods: _Methods) -> R:
    identity: Any = result.identity
    parts: dict[str, Any] = {}
    subject, machine, workload = _subject(identity), _machine(identity), _workload(identity)
    if isinstance(subject, Subject):
        label = methods[_key(subject)]
        method = changes.get(label) or changes.get(subject.method, subject.method)
        model = changes.get(subject.model, subject.model)
        parts["subject"] = dataclasses.replace(subject, model=model, method=method)
    if isinstance(machine, MachineIdentity):
        parts["machine"] = (
            dataclasses.replace(machine, name=changes[machine.label], overrides={})
            if machine.label in changes
            else dataclasses.replace(machine, name=changes.get(machine.name, machine.name))
        )
    if "model" in workload:
        model = changes.get(workload["model"], workload["model"])
        parts["workload"] = {**workload, "model": model}
    return dataclasses.replace(result, identity=dataclasses.replace(identity, **parts))
