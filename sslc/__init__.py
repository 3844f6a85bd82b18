"""How a model is compressed: calibration, scores, low-rank factors and the block loop (torch)."""
