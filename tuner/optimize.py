"""``python -m tuner.optimize``: the main job, the same as ``tuner optimize``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    try:
        from tuner.cli.main import run_command
        from tuner.cli.optimize import optimize
    except KeyboardInterrupt:  # Ctrl-C while the first modules load
        sys.exit(130)
    sys.exit(run_command(optimize))


if __name__ == "__main__":
    main()
