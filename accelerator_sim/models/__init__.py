"""What a projection costs by each cost model."""
