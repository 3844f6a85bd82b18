"""The command, for the tables of faults."""

from tests.cli.conftest import sslc

__all__ = ["sslc"]
