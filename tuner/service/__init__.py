"""Whole jobs, put together from the stages: run a study, collect data, serve the dashboard."""

from tuner.service.collect import read_sources, split_sources, store_parts
from tuner.service.dashboard import serve_dashboard
from tuner.service.run_study import StudyPlan, StudyResult, plan_study, run_study

__all__ = [
    "StudyPlan",
    "StudyResult",
    "plan_study",
    "read_sources",
    "run_study",
    "serve_dashboard",
    "split_sources",
    "store_parts",
]
