"""The last step of a study: its winner meets the sealed test, and the results are written."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from tuner.config import apply_params
from tuner.errors import NoCompleteTrial
from tuner.evaluation import advise
from tuner.models import is_pretrained
from tuner.records import StopRequested, TrialRecord
from tuner.report import study_note, study_report
from tuner.search import (
    Search,
    best_trial,
    count_trials,
    default_trial,
    distributions,
    edge_warnings,
    parameter_importances,
)
from tuner.seeds import Stream, derive_seed
from tuner.service.confirm import Confirmation
from tuner.service.finish import Opening, open_test
from tuner.service.label_suspects import LabelSuspects, study_suspects
from tuner.service.results import Results

__all__ = ["conclude"]

_log = logging.getLogger(__name__)


def conclude(
    search: Search,
    results: Results,
    outcome: str,
    confirmed: Confirmation | None,
    stop_requested: StopRequested,
) -> dict[str, Any]:
    """Open the sealed test for the winner, write the results, and give `best_params.json`.

    Parameters
    ----------
    outcome
        What the search ended with.
    confirmed
        None where no trial was run again: the best of the search wins.
    stop_requested
        Asked until the test is opened; then the results are written.

    Raises
    ------
    Interrupted
        From `stop_requested`; the test has not been opened.
    NoCompleteTrial
        If there is no winner.
    """
    trials = search.trials()
    found = best_trial(trials, results.settings.direction)
    if found is None:
        counts = count_trials(trials)
        raise NoCompleteTrial(
            f"study {results.study} ended ({outcome}) without a complete trial: "
            f"{counts['pruned']} pruned, {counts['failed']} failed."
        )
    winner = found if confirmed is None else confirmed.winner.trial
    default = default_trial(trials)
    opening = open_test(results, winner, default, stop_requested)
    suspects = study_suspects(results.pipeline, results.settings)
    content = results.write_best(
        winner,
        trials,
        outcome=outcome,
        test=opening.test,
        baselines=opening.baselines,
        verdict=opening.verdict | _advice(results, winner, opening, suspects),
        confirmation=None if confirmed is None else confirmed.as_json(),
        search_best=found,
    )
    results.write_suspects(suspects)
    _write_report(results, content, opening, suspects, winner, trials)
    results.write_tables(trials, outcome=outcome)
    search.set_note(study_note(content, results.findings))
    return content


def _advice(
    results: Results, winner: TrialRecord, opening: Opening, suspects: LabelSuspects
) -> dict[str, str | None]:
    settings = apply_params(results.settings, winner.params)
    return advise(
        opening.verdict,
        opening.baselines,
        is_pretrained=is_pretrained(settings.model.backbone),
        n_train=len(results.parts.train),
        n_doubted=len(suspects.rows),
        n_judged=suspects.n_judged,
    )


def _write_report(
    results: Results,
    content: Mapping[str, Any],
    opening: Opening,
    suspects: LabelSuspects,
    winner: TrialRecord,
    trials: Sequence[TrialRecord],
) -> None:
    settings = results.settings
    # Trial 0 starts where it starts: nothing was found there.
    edges = () if winner.origin == 0 else edge_warnings(settings, winner.params)
    results.write_report(
        study_report(
            content=content,
            slices=opening.slices,
            calibration=opening.calibration,
            importances=parameter_importances(
                trials,
                distributions(settings),
                direction=settings.direction,
                seed=derive_seed(settings.study.seed, 1, Stream.EVALUATION),
            ),
            edges=[edge.as_json() for edge in edges],
            label_noise=suspects.as_json(),
        )
    )
    for edge in edges:
        _log.warning("%s", edge.sentence)
