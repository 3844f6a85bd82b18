"""The published model over its dense-column threshold, for docs/effects.md.

python -m docs.programs.published_curve   writes docs/figures/table4-curve.{png,svg} and prints the
table
"""

from pathlib import Path

from accelerator_sim.machine.catalog import load_accelerator
from reports.figures.style import write_figure
from reports.paper.curve import CURVE_NAME, curve_figure
from reports.paper.published import table4
from reports.paper.table4 import reproduce_table4
from workloads.results.table import render


def main() -> None:
    """Write the figure and print the table."""
    made = reproduce_table4(load_accelerator("array-64x64"), ["published"])
    print(render(made.tables[1], "markdown"))
    write_figure(curve_figure(made.curves, table4()), Path("docs/figures"), CURVE_NAME)


if __name__ == "__main__":
    main()
