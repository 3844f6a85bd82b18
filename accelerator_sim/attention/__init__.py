"""Attention as work for the machine: over a context, and with fixed masks."""
