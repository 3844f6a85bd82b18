"""From a projection and a machine to tiles, their bytes and their cycles. Pure."""
