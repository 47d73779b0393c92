"""``python -m tuner``, and the console script ``tuner``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    try:
        from tuner.cli.main import cli, run_command
    except KeyboardInterrupt:  # Ctrl-C while the first modules load
        sys.exit(130)
    sys.exit(run_command(cli))


if __name__ == "__main__":
    main()
