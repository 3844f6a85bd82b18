"""What was kept, trained towards the dense model: block by block, or the model as a whole."""
