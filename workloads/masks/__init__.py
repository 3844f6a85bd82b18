"""Which weights a sparse matrix keeps: packed, counted, synthetic or from elsewhere."""
