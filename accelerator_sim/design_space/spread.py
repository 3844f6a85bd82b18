"""How far each objective moves when one parameter of a space moves alone. Pure."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

NO_SETTINGS: Mapping[str, Collection[str]] = {}


def mean_changes(
    points: pa.Table,
    parameter: str,
    objectives: Sequence[str],
    *,
    parameters: Sequence[str],
    own: Mapping[str, Collection[str]] = NO_SETTINGS,
) -> dict[str, float | None]:
    """Mean relative change of each objective when only one parameter moves through its values.

    Feasible points that agree in every other parameter are a group. In a group the change is
    (largest - smallest) / smallest of the objective over the values of the parameter, and groups
    weigh the same. So 0.5 says: from its best to its worst value the parameter changes the
    objective by half, all else equal. It does not say which value is best, nor what two parameters
    do together.

    Args:
        points: One row per point: parameters, ``feasible``, and objectives, all at least 0.
        parameter: The one that moves.
        objectives: Whose changes.
        parameters: All of the space, the moving one among them.
        own: Parameters that only some values of another one have, by that one, such as the settings
            of a method: when that one moves they need not agree, and the mean over them counts.

    Returns:
        The means by objective; None where no group has two values of the parameter with a change
        that is known, as in most samples that are no grid.
    """
    fixed = [p for p in parameters if p != parameter and p not in own.get(parameter, ())]
    usable = points.filter(pc.and_(points["feasible"], pc.is_valid(points[parameter])))
    by_value = usable.group_by([*fixed, parameter]).aggregate([(o, "mean") for o in objectives])
    groups = by_value.group_by(fixed).aggregate(
        [(f"{o}_mean", how) for o in objectives for how in ("min", "max", "count")]
    )
    return {o: _mean_change(groups, f"{o}_mean") for o in objectives}


def _mean_change(groups: pa.Table, name: str) -> float | None:
    low, high, count = (
        np.array(groups[f"{name}_{how}"].to_pylist(), dtype=np.float64)
        for how in ("min", "max", "count")
    )
    known = (count > 1) & ((low > 0) | (high == 0))
    if not known.any():
        return None
    low, high = low[known], high[known]
    changes = np.divide(high - low, low, out=np.zeros_like(low), where=low > 0)
    return float(changes.mean())
