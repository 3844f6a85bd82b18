"""The block loop: plan, inputs, projections, output, and its estimate."""
