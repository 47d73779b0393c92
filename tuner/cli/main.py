"""The console script `tuner`: finds the command, and turns every failure into one line."""

from __future__ import annotations

import importlib
import io
import logging
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import click

from tuner import __version__
from tuner.cli.say import say
from tuner.errors import Interrupted, TunerError
from tuner.nearest import did_you_mean

__all__ = ["cli", "run_command"]

# Command name to its help, in the order of use; each lives in `tuner/cli/<name>.py` under the
# same name. The help stands here so that `tuner --help` loads none of them.
COMMANDS = {
    "optimize": "Search the best fine-tuned classifier for a table of labelled texts.",
    "worker": "Run trials of studies that are in a storage.",
    "replay": "Run a trial again from its record and compare.",
    "storage": "Look a storage over, mend it, or copy its studies.",
    "submit": "Register a study for workers, and return.",
    "status": "Show the studies of a storage, or the trials of one.",
    "best": "Show the best trial of a study.",
    "predict": "Predict texts with a study's best model.",
    "dashboard": "Browse the studies in optuna-dashboard.",
    "check": "Say what is wrong with a table of labelled texts.",
    "cache": "Show, verify or prune what preparing has left.",
    "pretrain": "Train a small encoder on texts without labels.",
    "collect": "Split a table into train, validation, selection and sealed test.",
}


class _LazyGroup(click.Group):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args:
            say(ctx.get_help())
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"tuner.cli.{name}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(
                f"there is no command {args[0]!r}.{did_you_mean(args[0], COMMANDS)}", ctx
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tuner")
def cli() -> None:
    """Find the best fine-tuned text classifier for a table of labelled texts.

    Example: tuner optimize --data reviews.csv --text content --label sentiment --trials 100
    """


def run_command(command: click.Command, arguments: Sequence[str] | None = None) -> int:
    """Run a command and give its exit code; whatever goes wrong ends in one line on stderr."""
    _write_what_cannot_be_encoded_as_escapes()
    try:
        result: Any = command.main(
            args=None if arguments is None else list(arguments),
            prog_name=None if arguments is None else command.name,
            standalone_mode=False,
        )
        return result if isinstance(result, int) else 0
    except click.UsageError as error:
        _log_as_asked(sys.argv[1:] if arguments is None else arguments)
        say(f"error: {_one_line(error.format_message())}", level=logging.ERROR)
        return 2
    except click.ClickException as error:
        say(f"error: {_one_line(error.format_message())}", level=logging.ERROR)
        return error.exit_code
    except click.Abort:  # click's word for Ctrl-C
        say("stopped")
        return 130
    except Interrupted as error:
        say("stopped")
        return error.exit_code
    except TunerError as error:
        say(f"error: {_one_line(str(error))}", level=logging.ERROR)
        return error.exit_code
    except KeyboardInterrupt:
        say("stopped")
        return 130
    except BrokenPipeError:
        # The reader of our output has gone (`tuner status | head`): nothing is wrong.
        sys.stderr.close()
        return 0
    except Exception as error:
        logging.getLogger("tuner").debug("unexpected error", exc_info=True)
        say(
            f"error: unexpected {type(error).__name__}: {_one_line(str(error))} "
            "(a bug; --verbose shows where)",
            level=logging.ERROR,
        )
        return 1


def _log_as_asked(arguments: Sequence[str]) -> None:
    """Let the log be JSON where the options were not read because one of them is unknown."""
    words = [*arguments, ""]
    asked = ("--log-format", "json")
    if "--log-format=json" in words or asked in pairwise(words):
        from tuner.cli.logs import log_to_stderr

        log_to_stderr(verbose=False, quiet=False, log_format="json")


def _write_what_cannot_be_encoded_as_escapes() -> None:
    """Let Chinese through to a terminal or a pipe that is not UTF-8."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _one_line(text: str) -> str:
    return " ".join(text.split())
