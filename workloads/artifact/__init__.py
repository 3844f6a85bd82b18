"""The compressed model on disk, written and read."""
