"""From the results that the stages left behind to tables."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reports.results import load_results
from reports.speedup import perplexity_table, runtime_table, speedup_table
from reports.tables import Table
from workloads.errors import InputError

_BUILDERS = {"perplexity": perplexity_table, "cycles": speedup_table, "runtime": runtime_table}


def report_tables(directories: Sequence[Path]) -> list[Table]:
    """One table per kind of result found, in the order perplexity, cycles, runtime.

    Args:
        directories: Artifacts, or directories that hold ``results``.

    Raises:
        InputError: A directory has no results, or one of them is not whole.
    """
    results = [result for directory in directories for result in load_results(directory)]
    tables = []
    for kind, builder in _BUILDERS.items():
        chosen = [result for result in results if result["kind"] == kind]
        if chosen:
            tables.append(_build(builder, chosen, directories))
    return tables


def _build(builder: Any, results: list[dict[str, Any]], directories: Sequence[Path]) -> Table:
    try:
        table: Table = builder(results)
    except (KeyError, TypeError, AttributeError) as error:
        places = ", ".join(str(directory / "results") for directory in directories)
        raise InputError(
            f"{places}: a {results[0]['kind']} result lacks or garbles {error}; run its stage again"
        ) from error
    return table
