"""``[compression]`` of a space: which model, and every way of compressing it that is tried.

First in the flow: ``joint_space`` puts it beside the machines. No torch here but to check settings.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from accelerator_sim.design_space.axes import Axis, Kind, Value, parse_axis
from sslc.allocation.kinds import ALLOCATIONS, UNIFORM
from sslc.methods.precision import Precision
from sslc.methods.registry import METHODS, QUANTIZERS, describe, load_method
from workloads.support.errors import InputError, unknown_name
from workloads.support.presets import build
from workloads.support.toml_place import Place

METHOD, ALLOCATION = "method", "allocation"
WIDTHS = {"value_bits": "weight", "factor_bits": "factor"}
"""Settings that say how wide numbers are stored, and the machine's field of the same."""
_DEFAULTS: Mapping[str, Value] = {METHOD: "sslc", ALLOCATION: UNIFORM}


@dataclass(frozen=True)
class CompressedModel:
    """What all compressions of a space have in common.

    Attributes:
        model: Hub name, directory, ``.gguf`` file, or ``smollm2-135m``.
        blocks: How many blocks are simulated, from the first; 0 for all.
        calibration: Text of the calibration; empty for the method's own.
        windows: Of the calibration; 0 for the method's own number.
        window_tokens: Tokens in each.
        seed: Of the windows' places.
        dtype: In which numbers are stored that no setting gives fewer bits.
        refine: What is trained after the method; empty for the method's own.
        text: On which perplexity is measured.
        text_window_tokens: Tokens of each of its windows.
        max_tokens: Tokens of the text at most; 0 for all.
        device: ``cpu``, ``cuda`` or ``cuda:N``, for compressing and evaluating.
    """

    model: str
    blocks: int = 0
    calibration: str = ""
    windows: int = 0
    window_tokens: int = 512
    seed: int = 0
    dtype: str = "auto"
    refine: str = ""
    text: str = "embedded"
    text_window_tokens: int = 512
    max_tokens: int = 16_384
    device: str = "cpu"

    def __post_init__(self) -> None:
        if not self.model:
            raise ValueError("model must be named")
        least = {"blocks": 0, "windows": 0, "window_tokens": 2, "seed": 0}
        for name, value in {**least, "text_window_tokens": 2, "max_tokens": 0}.items():
            if getattr(self, name) < value:
                raise ValueError(f"{name} must be at least {value}, got {getattr(self, name)}")


@dataclass(frozen=True)
class CompressionPoint:
    """One way of compressing.

    Attributes:
        method: Its name.
        settings: By name, those that the space gives.
        allocation: How the kept fraction is divided.
    """

    method: str
    settings: tuple[tuple[str, Value], ...] = ()
    allocation: str = UNIFORM

    def at(self, key: str) -> Value | None:
        """Its value on an axis; None for a setting that it has not."""
        return {METHOD: self.method, ALLOCATION: self.allocation, **dict(self.settings)}.get(key)


@dataclass(frozen=True)
class Compressions:
    """``[compression]``, read and checked as far as it can be without the model.

    Attributes:
        of: What all have in common.
        points: Every way, method by method.
        keys: What they differ in, or are given; in the order of columns.
        own: Settings of one method only.
    """

    of: CompressedModel
    points: tuple[CompressionPoint, ...]
    keys: tuple[str, ...]
    own: tuple[str, ...]


def read_compressions(table: Mapping[str, Any], where: Place) -> Compressions:
    """The ways of compressing that a table names.

    Args:
        table: ``[compression]``: keys of ``CompressedModel``; ``method``, ``allocation`` and
            settings of the methods, each a value, a list or a range; a table of its own for each
            method that has settings which others lack.
        where: For messages.

    Raises:
        InputError: A key is unknown, or a method cannot take a setting or its value.
    """
    plain = {field.name for field in dataclasses.fields(CompressedModel)}
    common = build(CompressedModel, {k: v for k, v in table.items() if k in plain}, where)
    methods = _words(table, METHOD, METHODS, where)
    allocations = _words(table, ALLOCATION, ALLOCATIONS, where)
    shared = {
        k: v
        for k, v in table.items()
        if k not in (METHOD, ALLOCATION, *plain) and not (k in METHODS and isinstance(v, Mapping))
    }
    for name in table:
        if name in METHODS and name not in methods:
            raise InputError(f"{where.of(name)}: method does not name {name}")
    _check_shared(shared, methods, where)
    own = {name: dict(table.get(name, {})) for name in methods}
    points = [
        CompressionPoint(method, settings, allocation)
        for method in methods
        for settings in _settings(method, shared, own[method], where)
        for allocation in allocations
    ]
    names = dict.fromkeys([*shared, *(key for each in own.values() for key in each)])
    keys = (METHOD, *names, *([ALLOCATION] if ALLOCATION in table else []))
    return Compressions(common, tuple(points), keys, tuple(n for n in names if n not in shared))


def stored_width(point: CompressionPoint, setting: str) -> Value | None:
    """Bits that a point asks for; None where it says nothing, and the machine's own width holds.

    Args:
        point: One way of compressing.
        setting: ``value_bits`` or ``factor_bits``.
    """
    own = QUANTIZERS.get(point.method, {}).get(setting)
    asked = point.at(setting)
    return (own if asked is None else asked) or None


def _words(
    table: Mapping[str, Any], key: str, known: Mapping[str, Any], where: Place
) -> tuple[str, ...]:
    spec = table.get(key, _DEFAULTS[key])
    names = parse_axis(key, "word", spec=spec, where=f"{where.of(key)}: {key}").values
    for name in names:
        if name not in known:
            raise InputError(f"{where.of(key)}: {unknown_name(key, str(name), known)}")
    return tuple(map(str, names))


def _known(method: str) -> dict[str, Value]:
    """Settings of a method and their defaults, those of its precision among them."""
    return {**describe(method).settings, **dataclasses.asdict(Precision())}


def _check_shared(shared: Mapping[str, Any], methods: tuple[str, ...], where: Place) -> None:
    """A setting beside ``method`` is one of every method that is named."""
    by_method = {method: _known(method) for method in methods}
    every = {name for known in by_method.values() for name in known}
    plain = [field.name for field in dataclasses.fields(CompressedModel)]
    for key in shared:
        if key not in every:
            known = [METHOD, ALLOCATION, *plain, *every, *methods]
            raise InputError(f"{where.of(key)}: {unknown_name('key', key, known)}")
        for method, known_settings in by_method.items():
            if key not in known_settings:
                having = next(name for name, known in by_method.items() if key in known)
                raise InputError(
                    f"{where.of(key)}: method {method} has no {key}; give it to the methods that "
                    f"have one, such as [compression.{having}]"
                )


def _settings(
    method: str, shared: Mapping[str, Any], own: Mapping[str, Any], where: Place
) -> Iterator[tuple[tuple[str, Value], ...]]:
    """Every combination of a method's settings.

    Raises:
        InputError: The method does not have one, or cannot take its value.
    """
    axes = [_axis(method, key, spec, where.of(key)) for key, spec in shared.items()]
    inside = where.inside(method)
    for key, spec in own.items():
        if key in shared:
            raise InputError(f"{inside.of(key)}: {key} stands in [compression] too")
        axes.append(_axis(method, key, spec, inside.of(key)))
    for values in itertools.product(*(axis.values for axis in axes)):
        settings = tuple((axis.key, value) for axis, value in zip(axes, values, strict=True))
        try:
            load_method(method, dict(settings))
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
        yield settings


def _axis(method: str, key: str, spec: Any, at: str) -> Axis:
    known = _known(method)
    if key not in known:
        raise InputError(f"{at}: {unknown_name(f'setting of method {method}', key, known)}")
    axis = parse_axis(key, _kind(known[key]), spec=spec, where=f"{at}: {key}")
    if axis.interval is not None:
        raise InputError(f"{at}: {key}: a range needs a step or a count: compressions are a grid")
    return axis


def _kind(default: Value) -> Kind:
    if isinstance(default, bool | str):
        return "word"
    return "whole" if isinstance(default, int) else "number"
