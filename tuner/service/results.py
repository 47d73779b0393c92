"""The run directory: rewritten while the study runs, always whole."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tuner.config import Settings, apply_params, settings_record
from tuner.errors import StorageError
from tuner.models import ignored_settings
from tuner.persist import (
    BlobStore,
    FolderBlobs,
    SealedTest,
    StoredModel,
    unpack_arrays,
    write_json,
    write_model,
    write_text,
)
from tuner.pipeline import Pipeline
from tuner.records import Finding, SearchParts, TrialRecord
from tuner.report import (
    best_params,
    compiled_programs,
    data_summary,
    stage_summary,
    trials_csv,
)
from tuner.search import all_params, best_trial, count_trials
from tuner.service.label_suspects import SUSPECTS_FILE, LabelSuspects, suspects_csv
from tuner.service.versions import versions
from tuner.service.weights import BlobTrials

__all__ = ["Results"]

_TABLE_SECONDS = 3.0
_TABLE_SHARE = (
    0.02  # of the time: the tables of a long study take longer, and are written less often
)


class Results:
    """Writes the run directory of one study.

    `best_params.json`, `report.json`, `trials.csv`, `study.json`, `label_suspects.csv` and
    `best_model/`.

    Parameters
    ----------
    folder
        `<output>/<study name>`.
    storage
        The storage's URL, password hidden.
    read_trials
        Gives the study's trials as they are now.
    blobs
        Where weights lie.
    """

    def __init__(
        self,
        folder: Path,
        *,
        study: str,
        settings: Settings,
        parts: SearchParts,
        findings: tuple[Finding, ...],
        storage: str,
        pipeline: Pipeline,
        read_trials: Callable[[], list[TrialRecord]],
        blobs: BlobStore,
    ) -> None:
        self.folder = folder
        self.study = study
        self.settings = settings
        self.parts = parts
        self.findings = findings
        self.sealed = SealedTest(folder)
        self._storage = storage
        self.pipeline = pipeline
        self._read_trials = read_trials
        self._blobs = blobs
        self.trial_store = BlobTrials(blobs, n_kept=settings.workers.weights_kept)
        self._locks = FolderBlobs(folder / "blobs")
        self._written_best: int | None = None
        self._tables_written = 0.0
        self._table_pause = _TABLE_SECONDS

    # -- while the study runs -----------------------------------------------------------------

    def study_started(self, trials: Sequence[TrialRecord]) -> None:
        """Write the tables, so that a study can be seen from its first minute."""
        self.write_tables(trials, outcome="running")

    def trial_started(self, number: int, params: Mapping[str, Any]) -> None:
        """Nothing to write yet."""

    def epoch_finished(self, number: int, epoch: int, value: float) -> None:
        """Nothing to write yet."""

    def trial_finished(self, trial: TrialRecord) -> None:
        """Rewrite what has changed; weights that can no longer win are let go."""
        # One process at a time: another one's newer best must not be overwritten by an older.
        with self._locks.lock("results"):
            trials = self._read_trials()
            best = best_trial(trials, self.settings.direction)
            if best is not None and best.number != self._written_best:
                self._write_best(best, trials, outcome="running", test=None, baselines={})
            self.trial_store.drop_weights(trials, self.settings.direction)
            if time.monotonic() - self._tables_written > self._table_pause:
                self.write_tables(trials, outcome="running")

    # -- files --------------------------------------------------------------------------------

    def write_best(
        self,
        best: TrialRecord,
        trials: Sequence[TrialRecord],
        *,
        outcome: str,
        test: Mapping[str, Any],
        baselines: Mapping[str, Any],
        **judgement: Any,
    ) -> dict[str, Any]:
        """Write `best_model/`, then `best_params.json`, and give the latter's content.

        `judgement` holds verdict, confirmation and search_best, see `tuner.report.best_params`.
        """
        with self._locks.lock("results"):
            return self._write_best(
                best, trials, outcome=outcome, test=test, baselines=baselines, **judgement
            )

    def _write_best(
        self,
        best: TrialRecord,
        trials: Sequence[TrialRecord],
        *,
        outcome: str,
        test: Mapping[str, Any] | None,
        baselines: Mapping[str, Any],
        **judgement: Any,
    ) -> dict[str, Any]:
        settings = apply_params(self.settings, best.params)
        content = best_params(
            study=self.study,
            settings=self.settings,
            best=best,
            params=all_params(self.settings, best.params),
            unused=ignored_settings(settings.model.backbone),
            counts=count_trials(list(trials)),
            parts=self.parts,
            versions=versions(),
            test=test,
            reads=self.sealed.reads,
            baselines=baselines,
            outcome=outcome,
            **judgement,
        )
        about = {
            name: content[name]
            for name in (
                "study",
                "trial",
                "objective",
                "validation",
                "selection",
                "test",
                "versions",
            )
        }
        about["text_columns"] = list(self.parts.text_columns)
        write_model(self.folder / "best_model", self.stored_model(best, about))
        write_json(self.folder / "best_params.json", content)
        self._written_best = best.number
        return content

    def write_tables(self, trials: Sequence[TrialRecord], *, outcome: str) -> None:
        """Write `trials.csv` and `study.json`."""
        started = time.monotonic()
        write_text(self.folder / "trials.csv", trials_csv(trials))
        write_json(
            self.folder / "study.json",
            {
                "schema": 1,
                "study": self.study,
                "outcome": outcome,
                "storage": self._storage,
                "trials": count_trials(list(trials)),
                **compiled_programs(trials),
                "seconds": round(sum(trial.seconds or 0.0 for trial in trials), 1),
                **stage_summary(trials),
                "sealed_test_reads": self.sealed.reads,
                "data": {
                    **data_summary(self.parts),
                    "findings": [asdict(finding) for finding in self.findings],
                },
                "settings": settings_record(self.settings),
                "versions": versions(),
            },
        )
        self._tables_written = time.monotonic()
        self._table_pause = max(_TABLE_SECONDS, (self._tables_written - started) / _TABLE_SHARE)

    def stored_model(self, trial: TrialRecord, about: Mapping[str, Any]) -> StoredModel:
        """Give a trial's classifier.

        Raises
        ------
        StorageError
            If its weights are not here, as when a study is continued with another `--output`.
        """
        weights = unpack_arrays(self._weights(trial))
        settings = apply_params(self.settings, trial.params)
        return self.pipeline.stored_model(settings, weights, dict(about))

    def check_weights(self, best: TrialRecord | None) -> None:
        """Raise `StorageError` if the weights of the study's best trial so far are not here.

        They are looked for, not read: tens of MB, perhaps from a database far away.
        """
        if best is not None and not self._blobs.has(str(best.attributes.get("weights"))):
            raise self._missing(best)

    def _weights(self, trial: TrialRecord) -> bytes:
        content = self._blobs.get(str(trial.attributes.get("weights")))
        if content is None:
            raise self._missing(trial)
        return content

    def _missing(self, trial: TrialRecord) -> StorageError:
        is_in_folder = isinstance(self._blobs, FolderBlobs)
        place = f"{self.folder}/blobs" if is_in_folder else self._storage
        return StorageError(
            f"{place}: the weights of trial {trial.number} are missing or damaged. "
            + (
                "Continue the study with the --output it was begun with."
                if is_in_folder
                else "Restore them from a backup of the database, or begin the study again under "
                "another --study-name."
            )
        )

    def read_best(self) -> dict[str, Any] | None:
        """Read `best_params.json`; None where there is none, or what is there is none."""
        try:
            content = json.loads((self.folder / "best_params.json").read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        is_whole = isinstance(content, dict) and {"outcome", "trials", "test"} <= content.keys()
        return content if is_whole else None

    def write_report(self, content: Mapping[str, Any]) -> None:
        """Write `report.json`."""
        write_json(self.folder / "report.json", content)

    def write_suspects(self, suspects: LabelSuspects) -> None:
        """Write `label_suspects.csv`, the rows whose label is doubted."""
        write_text(self.folder / SUSPECTS_FILE, suspects_csv(suspects.rows))
