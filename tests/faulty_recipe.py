"""A recipe whose trials do real harm to the process they run in."""

from __future__ import annotations

import mmap
import os
import signal
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.fake_trainer import run_fake


def abort():
    os.abort()


def segmentation_fault():
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(60)


def be_killed():
    os.kill(os.getpid(), signal.SIGKILL)


def leave():
    os._exit(7)


def take_memory():
    hoard = [bytearray(b"x" * 50_000_000) for _ in range(100)]
    time.sleep(60)
    del hoard


HELD = []


def hold_more_memory():
    """Keep 100 MB, as what was compiled for a trial's shapes stays."""
    HELD.append(bytearray(b"x" * 100_000_000))


def map_a_file():
    """Read 600 MB of a file that is mapped, as the activations in the cache are."""
    with tempfile.TemporaryFile() as file:
        file.truncate(600_000_000)
        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
            assert not any(mapped[::4_096])
            time.sleep(1)  # ten looks of the guard


def hang():
    time.sleep(60)


def go_wrong():
    raise LookupError("planted")


@dataclass(frozen=True)
class Harm:
    """Does a deed in epoch `epoch` of every trial, or of those above a dropout.

    `marks`, where given, is a file that counts the deeds; no more than `times` are done.
    `pids` gets the process ids of the trials.
    """

    deed: object
    epoch: int = 3
    above_dropout: float = -1.0
    marks: Path | None = None
    times: int = 10**9
    pids: Path | None = None

    def make(self):
        return self.run

    def run(self, settings, *, stop_requested, **given):
        if self.pids is not None:
            with self.pids.open("a") as file:
                file.write(f"{os.getpid()}\n")
        does = settings.model.dropout > self.above_dropout
        return run_fake(
            settings,
            stop_requested=stop_requested,
            before_epoch=partial(self._before, stop_requested) if does else None,
            **given,
        )

    def _before(self, stop_requested, epoch):
        if epoch != self.epoch:
            return
        if self.marks is not None:
            done = self.marks.read_text() if self.marks.exists() else ""
            if len(done) >= self.times:
                return
            self.marks.write_text(done + "x")
        self.deed()


@dataclass(frozen=True)
class Patient:
    """Trials that wait in every epoch, asking whether to stop."""

    seconds: float
    began: Path

    def make(self):
        return self.run

    def run(self, settings, *, stop_requested, **given):
        def before_epoch(epoch):
            self.began.write_text(str(os.getpid()))
            end = time.monotonic() + self.seconds
            while time.monotonic() < end:
                stop_requested()
                time.sleep(0.02)

        return run_fake(
            settings, stop_requested=stop_requested, before_epoch=before_epoch, **given
        )
