"""``python -m tuner``, and the console script ``tuner``."""

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
    from tuner.cli.main import cli, run_command

    return run_command(cli)


if __name__ == "__main__":
    main()
