"""``python -m tuner.optimize``: the main job, the same as ``tuner optimize``."""

from __future__ import annotations

from tuner.cli.imports import shun_current_folder
from tuner.cli.leaving import end_with
from tuner.cli.own_stderr import take_own_stderr


def main() -> None:
    """Run the command line."""
    shun_current_folder()
    take_own_stderr()
    end_with(_run)


def _run() -> int:
    from tuner.cli.main import run_command
    from tuner.cli.optimize import optimize

    return run_command(optimize)


if __name__ == "__main__":
    main()
