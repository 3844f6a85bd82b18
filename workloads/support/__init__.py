"""Below everything: errors, progress, files, presets, compiled functions."""
