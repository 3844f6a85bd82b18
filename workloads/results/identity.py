"""What determines a number, and where it came from: identity, which is hashed, and provenance.

Two results of one identity are the same result, whatever the command line, the day or the version;
two of different identities never share a file. ``docs/results_format.md`` describes the files.
"""

import dataclasses
import datetime
import functools
import hashlib
import json
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from workloads.results.codec import to_json
from workloads.support.devices import cpu_name

DENSE = "dense"
SHORT = 8
"""Hexadecimal digits of a hash in file names and labels."""
NOT_HASHED = {"hashed": False}
"""Metadata of a field that says again, for readers, what other fields determine."""


@dataclasses.dataclass(frozen=True)
class Subject:
    """The model that a result is about.

    Attributes:
        model: Base model.
        method: Method name, or ``dense``.
        kept_fraction: Kept share of the projections' parameters, in [0, 1].
        masks: ``real`` (an artifact's), ``none``, or how synthetic ones were made.
        sha256: Of what was studied: an artifact's content, a checkpoint's weights, or masks.
        stored_dtype: Of the stored values, and of factors where those differ, such as F32, I8 or
            I4/I8; None where only masks are.
        settings: What made it: method settings, calibration, seed, overrides, recovery.
    """

    model: str
    method: str
    kept_fraction: float
    masks: str
    sha256: str
    stored_dtype: str | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class MachineIdentity:
    """An accelerator as it was run.

    Attributes:
        name: Of the preset or of the user's file.
        overrides: Values by dotted key in which it differs from what the name means; not hashed,
            since ``fields`` has them.
        fields: Every field, overrides included, except the description.
    """

    DERIVED = ("label",)

    name: str
    overrides: Mapping[str, Any] = dataclasses.field(metadata=NOT_HASHED)
    fields: Mapping[str, Any]

    @property
    def label(self) -> str:
        """What tables call it: ``vitcod + lines=32``."""
        changes = ", ".join(f"{key}={value}" for key, value in self.overrides.items())
        return f"{self.name} + {changes}" if changes else self.name

    @property
    def sha256(self) -> str:
        """Hash of every field."""
        return digest(self.fields)

    @property
    def bits(self) -> str:
        """Widths of weights, factors and activations, such as ``8/8/8``."""
        bits = self.fields["bits"]
        return "/".join(str(bits[operand]) for operand in ("weight", "factor", "activation"))


@dataclasses.dataclass(frozen=True)
class CostIdentity:
    """A table of energies and areas.

    Attributes:
        name: As tables call it.
        sha256: Hash of its constants.
    """

    name: str
    sha256: str


@dataclasses.dataclass(frozen=True)
class Provenance:
    """Where a result came from; none of it determines the number.

    Attributes:
        version: Of this project.
        commit: Of its checkout, where it runs from one.
        command: As it was typed, or the program that called.
        created: UTC, to the second.
        device: That computed it.
        threads: That computed it.
    """

    version: str
    commit: str | None
    command: str
    created: str
    device: str | None = None
    threads: int | None = None


def provenance(*, device: str | None = None, threads: int = 1) -> Provenance:
    """The provenance of what this process computes now.

    Args:
        device: By the name that its vendor gives it; None for the processor.
        threads: Used.
    """
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    program = [Path(sys.argv[0]).name or "python", *sys.argv[1:]]
    created = now.isoformat().replace("+00:00", "Z")
    command = shlex.join(program)
    return Provenance(version(), _commit(), command, created, device or cpu_name(), threads)


@functools.cache
def version() -> str:
    """Version of the installed project."""
    return metadata.version("sslc")


@functools.cache
def _commit() -> str | None:
    """Commit of the checkout that this file is part of; None where it is none."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def digest(value: Any) -> str:
    """Hex SHA-256 of a dataclass or of plain values, whatever the order of their names."""
    text = json.dumps(_hashed(value), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _hashed(value: Any) -> Any:
    """As JSON, without what is derived: that may be worded anew and is the same result."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        names = (field.name for field in fields if field.metadata.get("hashed", True))
        return {name: _hashed(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(key): _hashed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_hashed(item) for item in value]
    return to_json(value)


def distinguished(labels: Sequence[str], hashes: Sequence[str]) -> list[str]:
    """Labels, with a short hash behind those that stand for different things.

    Args:
        labels: What rows of a table are called.
        hashes: Of what each row means, same length.
    """
    meanings: dict[str, set[str]] = {}
    for label, sha256 in zip(labels, hashes, strict=True):
        meanings.setdefault(label, set()).add(sha256)
    return [
        f"{label} #{sha256[:SHORT]}" if len(meanings[label]) > 1 else label
        for label, sha256 in zip(labels, hashes, strict=True)
    ]


def method_labels(subjects: Sequence[Subject]) -> list[str]:
    """What rows call their methods: where one name has several settings, those that differ.

    Args:
        subjects: One per row.
    """
    by_name: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for subject in subjects:
        by_name.setdefault((subject.model, subject.method), []).append(flat(subject.settings))
    labels = []
    for subject in subjects:
        members, own = by_name[(subject.model, subject.method)], flat(subject.settings)
        keys = {key for member in members for key in member.keys() | own.keys()}
        differing = sorted(
            k for k in keys if any(member.get(k) != own.get(k) for member in members)
        )
        told = ", ".join(
            f"{key}={own[key]}" for key in differing if key in own and _short(own[key])
        )
        labels.append(f"{subject.method} ({told})" if told else subject.method)
    names = [f"{subject.model} {label}" for subject, label in zip(subjects, labels, strict=True)]
    marked = distinguished(names, [subject.sha256 for subject in subjects])
    return [mark[len(subject.model) + 1 :] for subject, mark in zip(subjects, marked, strict=True)]


def _short(value: Any) -> bool:
    """Whether a setting can stand in a label; hashes cannot."""
    return len(str(value)) < 40


def flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, by dotted key."""
    result: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, Mapping):
            result |= flat(item, f"{prefix}{key}.")
        else:
            result[f"{prefix}{key}"] = item
    return result
