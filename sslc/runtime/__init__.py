"""Compressed projections on real devices: formats, kernels, and the module that generation uses."""
