"""From what the user names to tensors and to a working model."""
