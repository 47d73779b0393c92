"""Every failure a user can meet, and the exit code it ends with.

TunerError
├── ConfigError       2  a setting, an option or a URL is wrong; nothing has run yet
├── DataError         3  the table of texts cannot be used as it is
├── StorageError      1  the study's database or the disk does not answer
├── CheckpointError   1  stored weights or a model folder are missing or damaged
├── TooManyFailures   1  the study ended itself because its trials keep failing
├── NoCompleteTrial   4  the study ended without one complete trial
├── TrialTaken           this trial was given to another worker (never reaches the user)
├── TrialDied            the process that ran this trial died (never reaches the user)
├── TrialFailed          this trial is lost, the study goes on (never reaches the user)
└── Interrupted     130  a signal asked to stop (143 for SIGTERM); the study can be continued

Anything else that is raised is a bug.
"""

from __future__ import annotations

__all__ = [
    "CheckpointError",
    "ConfigError",
    "DataError",
    "Interrupted",
    "NoCompleteTrial",
    "StorageError",
    "TooManyFailures",
    "TrialDied",
    "TrialFailed",
    "TrialTaken",
    "TunerError",
]


class TunerError(Exception):
    """Base of every failure that ends in one clear line."""

    exit_code = 1


class ConfigError(TunerError):
    """A setting breaks its rule; the message names the setting, the rule and what came in."""

    exit_code = 2


class DataError(TunerError):
    """The data cannot be used; the message names file and line."""

    exit_code = 3


class StorageError(TunerError):
    """The study's storage or the disk cannot be read or written."""


class CheckpointError(TunerError):
    """Stored weights or a model folder are missing or damaged."""


class TooManyFailures(TunerError):
    """Too many trials failed: five from the start or ten in a row."""


class NoCompleteTrial(TunerError):
    """The study ended and no trial is complete, so there is no best model."""

    exit_code = 4


class TrialFailed(TunerError):
    """One trial diverged, ran out of memory or broke; the study records why and goes on."""


class TrialDied(TunerError):
    """The guarded process that ran a trial died; `epoch` is the one it died in, from 1."""

    def __init__(self, message: str, *, epoch: int) -> None:
        super().__init__(message)
        self.epoch = epoch

    @property
    def reason(self) -> str:
        """What is noted of a trial that died so."""
        return f"{self} in epoch {self.epoch}"


class TrialTaken(TunerError):
    """The trial was closed by another process, since this one was silent for so long."""


class Interrupted(TunerError):
    """A signal asked to stop; what is finished stays and the study can be continued."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by signal {signal_number}")
        self.exit_code = 128 + signal_number
