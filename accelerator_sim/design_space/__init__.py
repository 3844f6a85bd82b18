"""Many machines, one workload: axes, points, evaluation, the Pareto front."""
