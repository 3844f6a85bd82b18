"""What is computed: model shapes, projections, masks, text and the artifact on disk.

The leaf of the house: it imports none of the other packages, and never torch.
"""
