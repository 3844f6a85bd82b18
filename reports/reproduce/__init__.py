"""The paper's tables and figures by name, for any model; ``registry.py`` lists them."""
