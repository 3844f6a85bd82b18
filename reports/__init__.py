"""What people see: the command ``sslc``, tables, runtimes and the published numbers."""
