"""Small design spaces that the tests of spaces and sweeps share."""

from pathlib import Path

from accelerator_sim.design_space.space import Space, load_space

BASE = """
accelerator = "array-64x64"
cycle_model = "published"
tokens = [1, 4]
batch_points = 3

[workload]
model = "smollm2-135m"
kept_fraction = 0.5
rank = 16
"""
FIELDS = """
[fields]
lines = [16, 32, 64]
dense_threshold = [0.4, 0.6]
"""


def space_from(folder: Path, text: str = BASE + FIELDS) -> Space:
    path = folder / "space.toml"
    path.write_text(text, encoding="utf-8")
    return load_space(path)
