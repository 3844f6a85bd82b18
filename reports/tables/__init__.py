"""Results as tables. Imports no torch."""
