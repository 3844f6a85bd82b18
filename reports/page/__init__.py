"""The page that people open: what it is made of, and how it is written as one HTML file."""
