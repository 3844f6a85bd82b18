"""The one palette of every figure."""

# Okabe and Ito's palette, which the colour-blind can tell apart; hatches and markers for print.
BLUE, ORANGE, GREEN, SKY, RED, YELLOW, PINK = (
    "#0072B2", "#E69F00", "#009E73", "#56B4E9", "#D55E00", "#F0E442", "#CC79A7",
)  # fmt: skip
BLACK, GREY, LIGHT_GREY = "#000000", "#999999", "#CCCCCC"
SERIES = ((BLUE, "o"), (RED, "s"), (GREEN, "^"), (PINK, "D"), (ORANGE, "v"), (SKY, "P"))
"""Colour and marker of one series after the other."""
STALLS = {
    "compute": GREEN,
    "imbalance": RED,
    "index_decode": YELLOW,
    "gather": BLACK,
    "weights": BLUE,
    "activations": SKY,
    "accumulation": PINK,
    "output_space": ORANGE,
    "fill": GREY,
    "drain": LIGHT_GREY,
    "idle": "#FFFFFF",
}
"""Of what PE lines do, by the name of its account."""
