"""What a set of predictions is worth: intervals, comparisons, a verdict, slices."""

from tuner.evaluation.advice import advise
from tuner.evaluation.bootstrap import Interval, score_intervals
from tuner.evaluation.calibration import (
    calibration_report,
    expected_calibration_error,
    reliability,
)
from tuner.evaluation.comparison import Comparison, Difference, compare
from tuner.evaluation.held_out import held_out_values
from tuner.evaluation.slices import slice_report
from tuner.evaluation.spread import mean_interval
from tuner.evaluation.successive_rejects import repetitions, runs_needed
from tuner.evaluation.temperature import apply_temperature, fit_temperature
from tuner.evaluation.verdict import Verdict, decide

__all__ = [
    "Comparison",
    "Difference",
    "Interval",
    "Verdict",
    "advise",
    "apply_temperature",
    "calibration_report",
    "compare",
    "decide",
    "expected_calibration_error",
    "fit_temperature",
    "held_out_values",
    "mean_interval",
    "reliability",
    "repetitions",
    "runs_needed",
    "score_intervals",
    "slice_report",
]
