"""Tables, figures and studies by name: one lazy line each."""

import importlib
from collections.abc import Sequence

from reports.reproduce.study import Reproduced, Study
from workloads.support.errors import unknown_name

STUDIES = {
    "table1": "reports.reproduce.studies.methods:table1",
    "table2": "reports.reproduce.studies.recovered:table2",
    "table3": "reports.reproduce.studies.ablations:table3",
    "table4": "reports.reproduce.studies.accelerator:table4",
    "table5": "reports.reproduce.studies.decoding:table5",
    "table6": "reports.reproduce.studies.ablations:table6",
    "table7": "reports.reproduce.studies.ablations:table7",
    "table8": "reports.reproduce.studies.seeds:table8",
    "table9": "reports.reproduce.studies.methods:table9",
    "table10": "reports.reproduce.studies.methods:table10",
    "figure1": "reports.reproduce.studies.salience:figure1",
    "figure4": "reports.reproduce.studies.salience:figure4",
    "figure5": "reports.reproduce.studies.losses:figure5",
    "figure6": "reports.reproduce.studies.ratios:figure6",
    "calibration": "reports.reproduce.studies.calibration:calibration",
    "bits": "reports.reproduce.studies.bits:bits",
}


def chosen(names: Sequence[str], *, with_tasks: bool) -> tuple[str, ...]:
    """The studies that were asked for, in order and once each.

    Args:
        names: Keys of ``STUDIES``, or ``all``, which leaves out table5, a measurement of the
            device that wants it to itself, and table10 where no tasks are given: the published
            ones need the hub.
        with_tasks: Whether tasks are given.

    Raises:
        InputError: A name is unknown.
    """
    left_out = {"table5"} if with_tasks else {"table5", "table10"}
    everything = [name for name in STUDIES if name not in left_out]
    wanted = [study for name in names for study in (everything if name == "all" else [name])]
    for name in wanted:
        if name not in STUDIES:
            raise unknown_name("table or figure", name, [*STUDIES, "all"])
    return tuple(dict.fromkeys(wanted))


def reproduce(name: str, study: Study) -> Reproduced:
    """Make a table or figure of the paper for a model.

    Args:
        name: A key of ``STUDIES``.
        study: Model, limits, texts and tasks.

    Raises:
        InputError: The model, a text or a task cannot be used.
    """
    module, _, function = STUDIES[name].partition(":")
    made: Reproduced = getattr(importlib.import_module(module), function)(study)
    return made
