"""Charts of the page as Vega-Lite specifications, from typed results."""
