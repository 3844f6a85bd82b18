"""A run file: stages that follow each other, each skipped where its result is already there."""
