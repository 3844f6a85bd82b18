"""A space of compressed models and machines, read and checked before anything is made.

After ``compression_points``. The machines, their work and their sampling are a space of
``accelerator_sim`` whose workload comes later: one for each way of compressing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from accelerator_sim.design_space.constraints import Bounds, read_constraints
from accelerator_sim.design_space.objectives import OBJECTIVES
from accelerator_sim.design_space.space import COMPRESSION, Space, read_machines
from accelerator_sim.design_space.workload import Workload
from reports.codesign.compression_points import (
    WIDTHS,
    CompressionPoint,
    Compressions,
    read_compressions,
    stored_width,
)
from sslc.methods.registry import run_defaults
from sslc.refinement.stages import read_refinement
from workloads.support.errors import InputError, shown, unknown_name
from workloads.support.presets import read_toml
from workloads.support.toml_place import Place

PERPLEXITY, BITS, ERROR = OF_MODEL = ("perplexity", "stored_bits", "reconstruction_error")
_DEFAULTS = [PERPLEXITY, "tokens_per_second"]
_LATER = Workload(artifact="the artifact of a compression")


@dataclass(frozen=True)
class JointSpace:
    """A space, read and checked.

    Attributes:
        source: Its file, for messages.
        compressions: Ways of compressing a model.
        machines: The hardware side; its workload is none.
        objectives: What the front is about.
        constraints: Bounds that points of the front keep, by the name of an objective.
    """

    source: str
    compressions: Compressions
    machines: Space
    objectives: tuple[str, ...]
    constraints: Mapping[str, Bounds]

    @property
    def keys(self) -> tuple[str, ...]:
        """Axes: those of the work and the machine behind those of the compression."""
        return (*self.compressions.keys, *(axis.key for axis in self.machines.axes))

    @property
    def evaluates(self) -> bool:
        """Whether perplexity is asked for."""
        return PERPLEXITY in (*self.objectives, *self.constraints)

    @property
    def measured(self) -> tuple[str, ...]:
        """Columns of objectives, in their order."""
        given = {*self.machines.measured, BITS, ERROR, *([PERPLEXITY] if self.evaluates else [])}
        return tuple(name for name in OBJECTIVES if name in given)

    @property
    def cheap_constraints(self) -> Mapping[str, Bounds]:
        """Those that are known without evaluating a model."""
        return {name: each for name, each in self.constraints.items() if name != PERPLEXITY}

    def machines_of(self, point: CompressionPoint, workload: Workload) -> Space:
        """The hardware side for one compressed model, whose 16-bit numbers the machine stores so.

        Args:
            point: How it was compressed.
            workload: Its artifact.
        """
        base = self.machines.accelerator
        wide = {
            field: width
            for setting, field in WIDTHS.items()
            if (width := stored_width(point, setting)) == _AS_FLOAT
        }
        accelerator = replace(base, bits=replace(base.bits, **wide))  # type: ignore[arg-type]
        return replace(self.machines, accelerator=accelerator, workload=workload)


_AS_FLOAT = 16
"""A width that the artifact does not say: it stores bf16, which a machine may round."""


def load_joint_space(path: Path) -> JointSpace:
    """Read a space that has a table ``[compression]``.

    Args:
        path: A TOML file; paths in it are relative to it.

    Raises:
        InputError: The file or a field cannot be used; the message names it and what is allowed.
    """
    table, where = read_toml(path), Place(str(path), path)
    if "workload" in table:
        raise InputError(
            f"{where.of('workload')}: [compression] makes what runs; give it or [workload]"
        )
    given = table[COMPRESSION]
    if not isinstance(given, Mapping):
        raise InputError(f"{where}: {COMPRESSION} must be a table, got {shown(given)}")
    compressions = _located(read_compressions(given, where.inside(COMPRESSION)), path.parent)
    objectives = _objectives(table, where)
    machines = read_machines(_hardware(table, objectives), _LATER, where=where, folder=path.parent)
    measured = (*machines.measured, *OF_MODEL)
    limits = table.get("constraints", {})
    if not isinstance(limits, Mapping):
        raise InputError(f"{where}: constraints must be a table, got {shown(limits)}")
    constraints = read_constraints(limits, measured, where.inside("constraints"))
    space = JointSpace(str(path), compressions, machines, objectives, constraints)
    _refuse_two_widths(space, where)
    _refuse_unknown_errors(space)
    return space


def _objectives(table: Mapping[str, Any], where: Place) -> tuple[str, ...]:
    names = table.get("objectives", _DEFAULTS)
    if not isinstance(names, list) or not names or len(set(map(str, names))) < len(names):
        raise InputError(
            f"{where}: objectives must be a list of different names, got {shown(names)}"
        )
    for name in names:
        if name not in OBJECTIVES:
            raise InputError(f"{where}: {unknown_name('objective', str(name), OBJECTIVES)}")
    return tuple(names)


def _hardware(table: Mapping[str, Any], objectives: tuple[str, ...]) -> dict[str, Any]:
    """What stands there for the machines alone."""
    others = (COMPRESSION, "objectives", "constraints")
    own = {key: value for key, value in table.items() if key not in others}
    measured = [name for name in objectives if name not in OF_MODEL]
    return own | ({"objectives": measured} if measured else {})


def _located(compressions: Compressions, folder: Path) -> Compressions:
    """With paths of files that are there relative to the space's folder."""
    common = compressions.of
    paths = {
        name: str(folder / value)
        for name in ("model", "calibration", "text")
        if (value := getattr(common, name)) and (folder / value).exists()
    }
    return replace(compressions, of=replace(common, **paths))  # type: ignore[arg-type]


def _refuse_two_widths(space: JointSpace, where: Place) -> None:
    """A width of stored numbers is said once."""
    axes = {axis.key for axis in space.machines.axes}
    for setting, field in WIDTHS.items():
        named = [p for p in space.compressions.points if stored_width(p, setting) is not None]
        if named and f"bits.{field}" in axes:
            raise InputError(
                f"{where.inside('fields').of('bits', field)}: bits.{field} is what {setting} of "
                f"[compression] sets (method {named[0].method}); give one of them"
            )


def _refuse_unknown_errors(space: JointSpace) -> None:
    """Where the whole model is trained, nobody knows the error of a projection."""
    if ERROR not in (*space.objectives, *space.constraints):
        return
    for method in dict.fromkeys(point.method for point in space.compressions.points):
        stages = space.compressions.of.refine or run_defaults(method).refine
        if read_refinement(stages, {}).logits is not None:
            raise InputError(
                f"{space.source}: {ERROR}: method {method} trains the whole model (refine = "
                f'"{stages}"), after which it is unknown; leave one of them out'
            )
