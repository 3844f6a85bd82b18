"""A whole model that serves requests: what stands around the projections, and growing contexts."""
