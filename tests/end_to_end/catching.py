"""Processes that are caught in the middle of a trial."""

from __future__ import annotations

import time
from contextlib import suppress

import psutil

from tuner.errors import TunerError
from tuner.search import read_trials

# An epoch takes half a second, so that there is something to be caught in.
SLOW = ("--set", "training.steps_per_epoch_min=1000")


def catch_in_a_trial(process, storage, *, child=False):
    """Give a worker of `process`, or its guarded child, suspended in a trial with an epoch behind.

    Suspended, it cannot end the trial before its fate reaches it.
    """
    end = time.monotonic() + 200
    while time.monotonic() < end and process.poll() is None:
        with suppress(TunerError, psutil.NoSuchProcess):  # nothing is there yet, or no more
            for worker in _busy(storage):
                victim = _child_of(worker) if child else psutil.Process(worker)
                victim.suspend()
                if worker in _busy(storage):
                    return victim
                victim.resume()
        time.sleep(0.05)
    raise AssertionError("no trial was seen")


def _busy(storage):
    """Give the process ids of workers in a trial that has an epoch behind it."""
    return [
        trial.attributes["owner"]["pid"]
        for trial in read_trials(storage, "s")
        if trial.state == "running" and trial.intermediate
    ]


def _child_of(worker):
    for child in psutil.Process(worker).children():
        if "tuner.isolation.child" in child.cmdline():
            return child
    raise psutil.NoSuchProcess(worker)
