"""The JSON Schemas that ship: of a result file, of what a command prints, and of cost curves.

``python -m reports.schemas`` writes them into ``reports/stored``, from the dataclasses.
"""

from pathlib import Path
from typing import Any

from reports.reproduce.kinds import KINDS as REPRODUCED
from reports.stored.files import KINDS
from workloads.results.cost_curves import cost_curves_schema
from workloads.results.document import document_schema
from workloads.results.envelope import result_schema
from workloads.support.files import write_json

RESULT = "result.schema.json"
DOCUMENT = "document.schema.json"
COST_CURVES = "cost_curves.schema.json"


def schemas() -> dict[str, dict[str, Any]]:
    """Each schema by its file's name."""
    kinds = list(dict.fromkeys((*KINDS, *REPRODUCED)))
    return {
        RESULT: result_schema(KINDS),
        DOCUMENT: document_schema(kinds),
        COST_CURVES: cost_curves_schema(),
    }


def write_schemas(directory: Path) -> list[Path]:
    """Write every schema; returns the paths."""
    for name, value in schemas().items():
        write_json(directory / name, value)
    return [directory / name for name in schemas()]


if __name__ == "__main__":
    write_schemas(Path(__file__).parent / "stored")
