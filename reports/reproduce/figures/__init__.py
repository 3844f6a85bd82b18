"""The figures of the studies, as they are drawn."""
