"""Records in, text out: the best-params JSON, tables, the dashboard's note."""

from tuner.report.best_params import best_params, data_summary
from tuner.report.note import study_note
from tuner.report.stages import compiled_programs, stage_summary
from tuner.report.study_report import study_report
from tuner.report.tables import BYTE_ORDER_MARK, csv_cell, csv_row_writer, trials_csv

__all__ = [
    "BYTE_ORDER_MARK",
    "best_params",
    "compiled_programs",
    "csv_cell",
    "csv_row_writer",
    "data_summary",
    "stage_summary",
    "study_note",
    "study_report",
    "trials_csv",
]
