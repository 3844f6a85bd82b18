"""Fine-tuning U and V with S frozen."""
