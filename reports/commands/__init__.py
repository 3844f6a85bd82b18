"""The subcommands of ``sslc``; ``reports.cli`` puts them together.

Torch and transformers take seconds to import, so commands import what they need when they run.
"""
