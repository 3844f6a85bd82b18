"""The published numbers, and the published model over its threshold."""
