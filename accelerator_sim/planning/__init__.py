"""Which tile, dataflow, split and slots: found by running the best few candidates."""
