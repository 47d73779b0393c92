"""What a pretraining leaves on the disk until it is whole, and how it is known again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from tuner.errors import CheckpointError, ConfigError
from tuner.persist import disk_errors, pack_arrays, unpack_arrays, write_bytes, write_json

__all__ = ["ABOUT", "FileMemory", "claim", "finished", "locked", "state_folder"]

ABOUT = "pretraining.json"


def state_folder(output: Path) -> Path:
    """Give the folder beside the output in which an unfinished pretraining lies."""
    return output.with_name(f"{output.name}.unfinished")


@contextmanager
def locked(state: Path, output: Path) -> Iterator[None]:
    """Make the state's folder and hold it against other processes.

    Raises
    ------
    ConfigError
        If another process holds it.
    """
    with disk_errors(state):
        state.mkdir(parents=True, exist_ok=True)
        lock = FileLock(state / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise ConfigError(
                f"--output must be of no other process; one is at work on {output}."
            ) from error
    try:
        yield
    finally:
        lock.release()


def claim(state: Path, identity: str, output: Path) -> None:
    """Take the state's folder for this pretraining, or refuse one that holds another's.

    Raises
    ------
    ConfigError
        If it holds another's.
    """
    path = state / "identity.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        write_json(path, identity)
        return
    except (OSError, ValueError):
        found = None
    if found != identity:
        raise ConfigError(
            f"--output: {state} holds an unfinished pretraining with another corpus or other "
            f"settings; continue it with its own, remove it, or name another folder than {output}."
        )


def finished(output: Path, identity: str) -> Mapping[str, Any]:
    """Give what a finished pretraining says of itself, if it is the one that is asked for.

    Raises
    ------
    ConfigError
        If the folder is of something else.
    """
    about: Any = None
    with suppress(OSError, ValueError):
        about = json.loads((output / ABOUT).read_text(encoding="utf-8"))
    if not isinstance(about, dict) or about.get("identity") != identity:
        raise ConfigError(
            "--output must be a folder that is not there yet, or was made by this same command; "
            f"{output} was not."
        )
    return {**about, "was_finished": True}


@dataclass(frozen=True, slots=True)
class FileMemory:
    """Keeps the state of a training in one file.

    `say` hears it if that file cannot be used.
    """

    path: Path
    say: Callable[[str], None]

    def load(self) -> dict[str, Any] | None:
        """Give what was saved last; None if nothing was, or it is damaged."""
        try:
            return unpack_arrays(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except CheckpointError as error:
            # Nothing can go on from it, and another start would end in the same way.
            self.say(
                f"warning: {self.path}: {error} The training begins again, the pieces are kept."
            )
            return None

    def save(self, state: Mapping[str, Any]) -> None:
        """Replace what was saved before."""
        write_bytes(self.path, pack_arrays(state))
