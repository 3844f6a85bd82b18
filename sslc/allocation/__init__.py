"""How a budget is divided between blocks and projections before any of them is compressed."""
