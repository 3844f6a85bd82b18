"""Calibration and evaluation text, and instruction data."""
