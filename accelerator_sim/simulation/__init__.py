"""A program run cycle by cycle: event engine, compiled engine, accounts, trace."""
