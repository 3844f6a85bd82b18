"""Selection, low-rank steps and the alternation: arithmetic on matrices."""
