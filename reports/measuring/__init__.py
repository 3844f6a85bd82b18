"""Runtimes on the device at hand: what can be measured, by which backends, and how it is timed."""
