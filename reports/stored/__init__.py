"""Names and files of results. Imports no torch."""
