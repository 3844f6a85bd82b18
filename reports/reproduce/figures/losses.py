"""Figure 5 as it is drawn."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from reports.reproduce.walk import heading

# Okabe and Ito's palette, which the colour-blind can tell apart; markers and dashes for print.
_STYLES = (
    ("#0072B2", "o", "-"),
    ("#E69F00", "s", "--"),
    ("#009E73", "^", "-."),
    ("#D55E00", "D", ":"),
    ("#CC79A7", "v", (0, (5, 1, 1, 1, 1, 1))),
)


def losses_figure(means: Mapping[int, Sequence[float]], where: str) -> Figure:
    """A line per block: its loss, and beside it the loss as a share of that after one iteration.

    Args:
        means: By block, the mean loss after each iteration; at most five blocks.
        where: Model and settings.
    """
    figure = Figure(figsize=(9.0, 4.2), layout="constrained")
    panels = figure.subplots(1, 2)
    for (index, losses), (colour, marker, dashes) in zip(means.items(), _STYLES, strict=False):
        iterations = range(1, len(losses) + 1)
        relative = [loss / (losses[0] or 1.0) for loss in losses]
        for axes, values in zip(panels, (losses, relative), strict=True):
            axes.plot(
                iterations, values, color=colour, marker=marker, linestyle=dashes, markersize=4.5,
                markevery=_marked(len(losses)), label=f"block {index}",
            )  # fmt: skip
    panels[0].set_ylabel("relative loss ‖W̃ − L̃ − S̃‖ / ‖W̃‖")
    panels[1].set_ylabel("loss / loss after iteration 1")
    for axes in panels:
        axes.set_xlabel("iteration")
        axes.set_xticks([index + 1 for index in _marked(len(iterations))][::2])
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
    title = "Decomposition loss by iteration and depth, mean over a block's projections"
    figure.suptitle(heading(title, where), fontsize=9)
    return figure


def _marked(iterations: int) -> list[int]:
    """Indices of the markers: the first iteration and every fifth."""
    return [0, *range(4, iterations, 5)]
