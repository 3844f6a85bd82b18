"""Compression methods, one file each; ``registry.py`` names them."""
