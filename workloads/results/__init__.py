"""What stages leave behind, typed: identity and provenance, results by kind, tables.

The leaf of every package that makes or shows results: no simulator, no torch.
"""
