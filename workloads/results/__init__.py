"""What stages leave behind, typed: identity, results, tables."""
