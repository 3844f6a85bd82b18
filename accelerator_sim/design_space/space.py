"""A design space from a TOML file or a dictionary: which machines, which workload, which points.

After ``axes``, before ``evaluation``: whatever can be wrong is found before a point runs.
"""

import dataclasses
import functools
import hashlib
import json
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accelerator_sim.design_space.axes import Axis, Value, parse_axis
from accelerator_sim.design_space.constraints import Bounds, read_constraints
from accelerator_sim.design_space.objectives import (
    OBJECTIVES,
    default_objectives,
    objectives_of,
)
from accelerator_sim.design_space.sampling import Point, Sampling, points_of
from accelerator_sim.design_space.variation import (
    CONTEXT,
    TOKENS,
    WORK_AXES,
    hardware_keys,
    machine_at,
)
from accelerator_sim.design_space.workload import (
    Workload,
    check_pattern,
    check_workload,
    located,
    workload_identity,
)
from accelerator_sim.machine.catalog import (
    DEFAULT_COSTS,
    accelerator_table,
    load_accelerator,
    load_cost_table,
    warn_if_implausible,
)
from accelerator_sim.machine.costs import CostTable
from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.machine.renamed import instead
from accelerator_sim.models.by_name import CYCLE_MODELS, MODELS, Model
from accelerator_sim.models.energy import check_technology
from workloads.shapes.gemm import MOST_TOKENS
from workloads.support.errors import InputError, shown, unknown_name
from workloads.support.presets import build, read_toml
from workloads.support.toml_place import Place

FORMAT = "sslc-sweep"
COMPRESSION = "compression"
"""The table that makes a space one of compressed models too; ``reports`` reads it."""
_TECHNOLOGY = "dram.technology"
VERSION = 3
_KEYS = (
    "accelerator", "cycle_model", "costs", *WORK_AXES, "objectives", "tolerance", "batch_points",
    "workload", COMPRESSION, "sampling", "fields", "constraints",
)  # fmt: skip


@dataclass(frozen=True)
class Space:
    """A design space, read and checked.

    Attributes:
        source: Its file, for messages.
        accelerator: The base machine.
        cycle_model: One of ``by_name.MODELS``.
        costs: Energy and area.
        workload: What runs.
        axes: Those of the work first, then hardware fields.
        points: Every point, in the order in which they are numbered.
        objectives: What the Pareto front is about.
        batch_points: Points of one shard; at most so many are lost in a kill, per worker.
        tolerance: Share by which points of the front must differ in an objective; 0: all stay.
        constraints: Bounds that points of the front keep, by the name of an objective.
    """

    source: str
    accelerator: Accelerator
    cycle_model: Model
    costs: CostTable
    workload: Workload
    axes: tuple[Axis, ...]
    points: tuple[Point, ...]
    objectives: tuple[str, ...]
    batch_points: int
    tolerance: float = 0.0
    constraints: Mapping[str, Bounds] = field(default_factory=dict)

    @property
    def work_axes(self) -> tuple[str, ...]:
        """Those of ``WORK_AXES`` that it has: points that differ in them are different work."""
        return tuple(axis.key for axis in self.axes if axis.key in WORK_AXES)

    @property
    def measured(self) -> tuple[str, ...]:
        """Objectives that every point has a column of."""
        names = objectives_of(self.cycle_model)
        return tuple(n for n in names if OBJECTIVES[n].always or n in self.objectives)

    @functools.cached_property
    def digest(self) -> str:
        """Hash of all that decides the results; the file's wording does not."""
        content = {
            "version": VERSION,
            "accelerator": accelerator_table(self.accelerator),
            "cycle_model": self.cycle_model,
            "costs": dataclasses.asdict(self.costs),
            "workload": workload_identity(self.workload),
            "measured": self.measured,
            "keys": [axis.key for axis in self.axes],
            "points": self.points,
            "batch_points": self.batch_points,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def load_space(source: str | Path | Mapping[str, Any]) -> Space:
    """Read a space and check all of it.

    Args:
        source: A TOML file, or what would stand in one. Paths inside a file are relative to it.

    Raises:
        InputError: The file or a field cannot be used; the message names it and what is allowed.
    """
    if isinstance(source, Mapping):
        return _space(source, Place("space"), Path())
    path = Path(source)
    return _space(read_toml(path), Place(str(path), path), path.parent)


def _space(table: Mapping[str, Any], where: Place, folder: Path) -> Space:
    if COMPRESSION in table:
        raise InputError(
            f"{where.of(COMPRESSION)}: `sslc sweep` reads it; the simulator alone does not compress"
        )
    _check_keys(table, where)
    _choice(table, "cycle_model", MODELS, where)
    space = read_machines(table, _workload(table, where, folder), where=where, folder=folder)
    _refuse_masks_without_their_pattern(space)
    return space


def _check_keys(table: Mapping[str, Any], where: Place) -> None:
    for key in table:
        if key not in _KEYS:
            raise InputError(f"{where.of(key)}: {unknown_name('key', key, _KEYS)}")


def read_machines(
    table: Mapping[str, Any], workload: Workload, *, where: Place, folder: Path
) -> Space:
    """A space whose workload is already known, or will be: it is not looked at.

    Args:
        table: As in a file.
        workload: What runs at every point.
        where: For messages.
        folder: That paths in the table are relative to.

    Raises:
        InputError: A field cannot be used; the message names it and what is allowed.
    """
    _check_keys(table, where)
    cycle_model = typing.cast(Model, _choice(table, "cycle_model", MODELS, where))
    accelerator = _accelerator(table, where, folder)
    axes = (*_work(table, where), *_fields(table, where))
    sampling = build(Sampling, _subtable(table, "sampling", where), where.inside("sampling"))
    points = tuple(points_of(axes, sampling, where=where))
    space = Space(
        source=str(where),
        accelerator=accelerator,
        cycle_model=cycle_model,
        costs=_costs(table, where, folder),
        workload=workload,
        axes=axes,
        points=points,
        objectives=_objectives(table, cycle_model, where),
        batch_points=_batch_points(table, where),
        tolerance=_tolerance(table, where),
    )
    limited = _subtable(table, "constraints", where)
    limits = read_constraints(limited, space.measured, where.inside("constraints"))
    space = dataclasses.replace(space, constraints=limits)
    _refuse_short_contexts(space)
    _refuse_values_without_a_machine(space)
    _refuse_unknown_technologies(space)
    return space


def _choice(table: Mapping[str, Any], key: str, known: tuple[str, ...], where: Place) -> str:
    value = table.get(key)
    if value not in known:
        raise InputError(f"{where}: {key} must be one of {', '.join(known)}, got {shown(value)}")
    return str(value)


def _subtable(table: Mapping[str, Any], key: str, where: Place) -> Mapping[str, Any]:
    value = table.get(key, {})
    if not isinstance(value, Mapping):
        raise InputError(f"{where}: {key} must be a table, got {shown(value)}")
    return value


def _workload(table: Mapping[str, Any], where: Place, folder: Path) -> Workload:
    workload = build(Workload, _subtable(table, "workload", where), where.inside("workload"))
    workload = located(workload, folder)
    try:
        check_workload(workload, context=CONTEXT in table)
    except InputError as error:
        raise InputError(f"{where}: [workload]: {error}") from error
    return workload


def _accelerator(table: Mapping[str, Any], where: Place, folder: Path) -> Accelerator:
    name = table.get("accelerator")
    if not isinstance(name, str):
        raise InputError(f"{where}: accelerator must be a preset's name or a TOML file")
    try:
        return load_accelerator(folder / name if name.endswith(".toml") else name)
    except InputError as error:
        raise InputError(f"{where.of('accelerator')}: {error}") from error


def _costs(table: Mapping[str, Any], where: Place, folder: Path) -> CostTable:
    name = table.get("costs", DEFAULT_COSTS)
    if not isinstance(name, str):
        raise InputError(f"{where}: costs must be a cost table's name or a TOML file")
    try:
        return load_cost_table(folder / name if name.endswith(".toml") else name)
    except InputError as error:
        raise InputError(f"{where.of('costs')}: {error}") from error


def _work(table: Mapping[str, Any], where: Place) -> Iterator[Axis]:
    """The dimensions of the work: tokens always, the others where they are given."""
    for key in WORK_AXES:
        if key != TOKENS and key not in table:
            continue
        axis = parse_axis(key, "whole", spec=table.get(key, 1), where=f"{where}: {key}")
        for value in axis.extremes():
            if type(value) is not int or not 1 <= value <= MOST_TOKENS:
                raise InputError(
                    f"{where}: {key} must be whole numbers from 1 to {MOST_TOKENS}, "
                    f"got {shown(value)}"
                )
        yield axis


def _refuse_short_contexts(space: Space) -> None:
    """A context that is shorter than the tokens of every point is a mistake."""
    axes = {axis.key: axis for axis in space.axes}
    if CONTEXT not in axes:
        return
    fewest = min(typing.cast("list[int]", list(axes[TOKENS].extremes())))
    for context in axes[CONTEXT].extremes():
        if typing.cast(int, context) < fewest:
            raise InputError(
                f"{space.source}: context = {context}: must be at least tokens, the fewest of "
                f"which are {fewest}"
            )


def _fields(table: Mapping[str, Any], where: Place) -> Iterator[Axis]:
    kinds = hardware_keys()
    tables = {key.partition(".")[0] for key in kinds if "." in key}
    flat: dict[str, tuple[tuple[str, ...], Any]] = {}
    for key, spec in _subtable(table, "fields", where).items():
        if key in tables and isinstance(spec, Mapping):
            flat.update({f"{key}.{inner}": ((key, inner), spec[inner]) for inner in spec})
        else:
            flat[key] = ((key,), spec)
    for key, (keys, spec) in flat.items():
        at = where.inside("fields").of(*keys)
        if instead(key):
            raise InputError(f"{at}: {instead(key)}")
        if key not in kinds:
            raise InputError(f"{at}: {unknown_name('hardware key', key, kinds)}")
        axis = parse_axis(key, kinds[key], spec=spec, where=f"{at}: {key}")
        for value in axis.extremes():
            warn_if_implausible(key, value, where=at)
        yield axis


def _objectives(table: Mapping[str, Any], cycle_model: Model, where: Place) -> tuple[str, ...]:
    given = objectives_of(cycle_model)
    names = table.get("objectives", list(default_objectives(cycle_model)))
    if not isinstance(names, list) or not names or len(set(map(str, names))) < len(names):
        raise InputError(
            f"{where}: objectives must be a list of different names, got {shown(names)}"
        )
    for name in names:
        if name not in OBJECTIVES:
            raise InputError(f"{where}: {unknown_name('objective', str(name), OBJECTIVES)}")
        if OBJECTIVES[name].of_model:
            raise InputError(
                f"{where}: objective {name!r} is one of a model that the sweep compresses: it "
                "needs a [compression] table in place of [workload]"
            )
        if name not in given:
            raise InputError(
                f"{where}: objective {name!r}: the {cycle_model} model does not count it; "
                f"it gives {', '.join(given)}"
            )
    return tuple(names)


def _batch_points(table: Mapping[str, Any], where: Place) -> int:
    value = table.get("batch_points", 16)
    value = int(value) if isinstance(value, float) and value.is_integer() else value
    if type(value) is not int or not 1 <= value <= 100_000:
        raise InputError(f"{where}: batch_points must be from 1 to 100000, got {shown(value)}")
    return value


def _tolerance(table: Mapping[str, Any], where: Place) -> float:
    value = table.get("tolerance", 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise InputError(
            f"{where}: tolerance must be a share from 0 to below 1, got {shown(value)}"
        )
    return float(value)


def _refuse_values_without_a_machine(space: Space) -> None:
    """A value of a field with which no point is a machine is a mistake.

    One that fails alone, too, is named before others, which may only stand beside it.
    """
    base, keys = space.accelerator, tuple(axis.key for axis in space.axes)
    alone = {
        (index, value): _problem(base, (TOKENS, axis.key), (1, value))
        for index, axis in enumerate(space.axes)
        if axis.key not in WORK_AXES
        for value in axis.extremes()
    }
    unused = dict(alone)
    beside: dict[tuple[int, Value], str] = {}
    for point in space.points:
        here = [place for place in enumerate(point) if place in unused]
        problem = _problem(base, keys, point) if here else ""
        for place in here:
            beside.setdefault(place, problem)
            if not problem:
                del unused[place]
        if not unused:
            return
    for (index, value), problem in sorted(unused.items(), key=lambda item: not item[1]):
        why = problem or beside.get((index, value))
        if why:  # none: an end of an interval that was not drawn
            raise InputError(f"{space.source}: [fields]: {keys[index]} = {shown(value)}: {why}")


def _problem(base: Accelerator, keys: tuple[str, ...], point: Point) -> str:
    """Why a point is no machine; empty where it is one."""
    try:
        machine_at(base, keys, point=point)
    except InputError as error:
        return str(error)
    return ""


def _refuse_masks_without_their_pattern(space: Space) -> None:
    """An ``N:M`` index that no mask of the workload has, at the threshold of most dense columns."""
    if space.cycle_model == "published":  # stores nothing
        return
    varied = {axis.key: axis.extremes() for axis in space.axes}
    threshold = min(varied.get("dense_threshold", (space.accelerator.dense_threshold,)))
    for name in varied.get("index.format", (space.accelerator.index.format,)):
        try:
            check_pattern(space.workload, str(name), float(threshold))
        except InputError as error:
            raise InputError(f"{space.source}: {error}") from error


def _refuse_unknown_technologies(space: Space) -> None:
    """Energies are counted at every point where the machine is simulated."""
    if not CYCLE_MODELS[space.cycle_model].simulated:
        return
    varied = [axis.values for axis in space.axes if axis.key == _TECHNOLOGY]
    for value in varied[0] if varied else (space.accelerator.dram.technology,):
        try:
            check_technology(space.costs, str(value))
        except InputError as error:
            raise InputError(f"{space.source}: {error}") from error
