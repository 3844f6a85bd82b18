"""An artifact as public formats."""
