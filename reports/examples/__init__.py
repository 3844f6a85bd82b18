"""Files to begin with, by the names of ``sslc list spaces`` and ``sslc list studies``."""
