"""Whole jobs, put together from the stages: run a study, collect data, serve the dashboard."""

from tuner.service.check_settings import check_weights_kept
from tuner.service.collect import read_sources, split_sources, store_parts
from tuner.service.confirm import ConfirmationPlan
from tuner.service.dashboard import serve_dashboard
from tuner.service.diagnose import diagnose_parts
from tuner.service.door import add_user, decide_access, read_users, remove_user
from tuner.service.engines import build_workers
from tuner.service.label_suspects import suspects_csv
from tuner.service.local_workers import PARENT_VARIABLE
from tuner.service.plan import StudyPlan, plan_study
from tuner.service.replay import replay_trial
from tuner.service.run_study import StudyResult, run_study
from tuner.service.submit import submit_study
from tuner.service.worker import run_worker

__all__ = [
    "PARENT_VARIABLE",
    "ConfirmationPlan",
    "StudyPlan",
    "StudyResult",
    "add_user",
    "build_workers",
    "check_weights_kept",
    "decide_access",
    "diagnose_parts",
    "plan_study",
    "read_sources",
    "read_users",
    "remove_user",
    "replay_trial",
    "run_study",
    "run_worker",
    "serve_dashboard",
    "split_sources",
    "store_parts",
    "submit_study",
    "suspects_csv",
]
