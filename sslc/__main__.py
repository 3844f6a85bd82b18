"""``python -m sslc``: the command line."""

from reports.cli import main

if __name__ == "__main__":
    main()
