"""Model shapes, projections and attention products, and their arithmetic."""
