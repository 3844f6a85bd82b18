"""References of the other TOML files: model shapes, design spaces, methods' settings."""

import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import Any

from accelerator_sim.design_space.axes import Range
from accelerator_sim.design_space.objectives import OBJECTIVES, Objective
from accelerator_sim.design_space.sampling import Sampling
from accelerator_sim.design_space.workload import Workload
from docs.programs.references.fields import Asked, fields_table
from docs.programs.references.markdown import code, prose, table
from reports.codesign.compression_points import CompressedModel
from sslc.methods.registry import METHODS, method_class
from workloads.shapes.attention import VitShape, load_vit, vit_names
from workloads.shapes.transformer import ModelShape, load_model, model_names
from workloads.support.docstrings import summary

_SHAPE_UNITS = {"blocks": "blocks", "layers": "layers", "tokens": "tokens", "vocabulary": "rows"}


def shapes_reference() -> str:
    """Keys of a model's shape and of a vision transformer's, and the shapes that ship."""
    model, vit = load_model(model_names()[0]), load_vit(vit_names()[0])
    asked = Asked(_SHAPE_UNITS)
    return "\n\n".join(
        (
            "## A language model\n",
            fields_table(ModelShape, partial(dataclasses.replace, model), asked),
            f"These ship: {_names(model_names())}.",
            "## A vision transformer's attention\n",
            fields_table(VitShape, partial(dataclasses.replace, vit), asked),
            f"These ship: {_names(vit_names())}.",
        )
    )


def _names(names: list[str]) -> str:
    return ", ".join(code(name) for name in names)


def space_reference() -> str:
    """Tables of a design space, and the objectives."""
    sampling = Sampling("sobol", 8)
    makers: Mapping[type, Any] = {
        Workload: partial(dataclasses.replace, Workload(model="llama2-7b")),
        CompressedModel: partial(dataclasses.replace, CompressedModel("smollm2-135m")),
        Sampling: partial(dataclasses.replace, sampling),
        Range: partial(dataclasses.replace, Range(1.0, 2.0)),
    }
    parts = []
    for title, cls in (
        ("`[workload]`: what runs", Workload),
        ("`[compression]`: what all ways of compressing have in common", CompressedModel),
        ("`[sampling]`: which points", Sampling),
        ("A range, in `[fields]` or for `tokens`, `batch`, `context`", Range),
    ):
        parts += [f"### {title}\n", prose(summary(cls)), fields_table(cls, makers[cls])]
    return "\n\n".join([*parts, "### Objectives\n", _objectives()])


def _objectives() -> str:
    rows = [
        [
            code(name),
            objective.unit or "ratio",
            objective.better,
            _counted(objective),
            "every point" if objective.always else "if it is asked for",
        ]
        for name, objective in OBJECTIVES.items()
    ]
    return table(["objective", "unit", "better", "counted by", "measured at"], rows)


def _counted(objective: Objective) -> str:
    if objective.of_model:
        return "a space with `[compression]`"
    return "`event`, `compiled`" if objective.simulated else "every model"


def methods_reference() -> str:
    """Every method with its settings."""
    parts = []
    for name in METHODS:
        cls = method_class(name)
        parts += [f"## `{name}`\n", prose(summary(cls)), fields_table(cls, cls)]
    return "\n\n".join(parts)
