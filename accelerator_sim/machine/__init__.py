"""The machine as data: hardware, presets, constants of energy and area."""
