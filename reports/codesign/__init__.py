"""Compression and hardware in one space: models made, run on many machines, and compared."""
