from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest
from prometheus_client import generate_latest

from tuner.counters import CACHE_FOUND, HEARTBEATS, STORAGE_RETRIES, count
from tuner.errors import ConfigError, Interrupted
from tuner.records import TrialRecord
from tuner.service.metrics import HUNG_AFTER_SECONDS, Metrics
from tuner.service.metrics_server import serve_metrics


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def trial(state="complete", value=0.9, *, number=0, **attributes):
    return TrialRecord(
        number=number, origin=number, state=state, value=value, params={}, intermediate={1: 0.5},
        seconds=3.0, started=None, attributes=attributes,
    )  # fmt: skip


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(name, labels)


def test_trials_are_counted_by_state_and_stages_by_their_seconds():
    metrics = Metrics()
    watcher = metrics.watching("评论", "maximize")
    watcher.study_started([trial(value=0.95)])
    # There from the start, so that a rate begins at 0.
    assert value(metrics, "tuner_epochs_total", study="评论") == 0

    watcher.trial_started(1, {})
    watcher.epoch_finished(1, 1, 0.5)
    watcher.epoch_finished(1, 2, 0.6)
    watcher.trial_finished(trial(seconds={"train": 2.0, "validate": 0.5}))
    watcher.trial_finished(trial(seconds={"train": 1.0}))
    watcher.trial_finished(trial("pruned", None, seconds={"train": 0.25}))
    watcher.trial_finished(trial("failed", None, retried=True))

    study = {"study": "评论"}
    assert value(metrics, "tuner_trials_total", state="complete", **study) == 2
    assert value(metrics, "tuner_trials_total", state="pruned", **study) == 1
    assert value(metrics, "tuner_trials_total", state="failed", **study) == 0
    assert value(metrics, "tuner_trials_total", state="retried", **study) == 1
    assert value(metrics, "tuner_epochs_total", **study) == 2
    assert value(metrics, "tuner_stage_seconds_total", stage="train", **study) == 3.25
    assert value(metrics, "tuner_trial_seconds_count", **study) == 3
    # The one that was there before is the best, and nobody's trial of this process.
    assert value(metrics, "tuner_best_value", direction="maximize", **study) == 0.95


def test_best_of_a_study_that_minimizes_is_the_smallest():
    metrics = Metrics()
    watcher = metrics.watching("s", "minimize")

    for number in (0.5, 0.3, 0.4):
        watcher.trial_finished(trial(value=number))

    assert value(metrics, "tuner_best_value", study="s", direction="minimize") == 0.3


def test_running_trial_is_seen_until_it_ends():
    metrics = Metrics()
    watcher = metrics.watching("s", "maximize")
    watcher.trial_started(0, {})
    assert value(metrics, "tuner_trials_running", study="s") == 1

    watcher.trial_finished(trial())

    assert value(metrics, "tuner_trials_running", study="s") == 0


def test_trials_of_several_workers_run_side_by_side():
    metrics = Metrics()
    watcher = metrics.watching("s", "maximize")
    for number in range(3):
        watcher.trial_started(number, {})
    assert value(metrics, "tuner_trials_running", study="s") == 3

    watcher.trial_finished(trial(number=1))
    assert value(metrics, "tuner_trials_running", study="s") == 2
    # One that ended before anybody saw it begin.
    watcher.trial_finished(trial(number=3))
    assert value(metrics, "tuner_trials_running", study="s") == 2


def test_runs_of_the_confirmation_are_counted_but_for_those_of_an_earlier_process():
    metrics = Metrics()
    watcher = metrics.watching("s", "maximize")
    watcher.confirmation_started(3, 1, 10.0)

    watcher.confirmation_run_finished(trial(), 0, 0.8, None)
    watcher.confirmation_run_finished(trial(), 1, 0.8, 2.0)
    watcher.confirmation_run_finished(trial(), 2, None, 2.0)

    assert value(metrics, "tuner_confirmation_runs_total", study="s") == 2


def test_what_the_stages_count_is_shown():
    metrics = Metrics()
    before = value(metrics, "tuner_heartbeats_total")
    retries = value(metrics, "tuner_storage_retries_total")

    count(HEARTBEATS)
    count(STORAGE_RETRIES)
    count(CACHE_FOUND, "test_stage")

    assert value(metrics, "tuner_heartbeats_total") == before + 1
    assert value(metrics, "tuner_storage_retries_total") == retries + 1
    assert value(metrics, "tuner_cache_requests_total", stage="test_stage", result="found") == 1


def test_cache_tells_what_it_found_and_made(tmp_path):
    import numpy as np

    from tuner.persist import Cache

    cache, metrics = Cache(tmp_path), Metrics()
    for _ in range(3):
        cache.obtain("tokens_of_test", "k", lambda writer: writer.put("a", np.zeros(2)))

    stage = {"stage": "tokens_of_test"}
    assert value(metrics, "tuner_cache_requests_total", result="made", **stage) == 1
    assert value(metrics, "tuner_cache_requests_total", result="found", **stage) == 2


def test_loop_that_hangs_is_not_healthy():
    clock = Clock()
    metrics = Metrics(clock)
    check = metrics.alive(lambda: None)
    clock.now = 2 * HUNG_AFTER_SECONDS
    assert metrics.is_healthy  # it has not begun: the data are being read

    check()
    clock.now += HUNG_AFTER_SECONDS - 1
    assert metrics.is_healthy
    clock.now += 1
    assert not metrics.is_healthy
    check()
    assert metrics.is_healthy


def test_signal_goes_through_the_check():
    def stopped():
        raise Interrupted(15)

    with pytest.raises(Interrupted):
        Metrics().alive(stopped)()


def get(port, path, method="GET"):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_metrics_and_health_are_served():
    clock = Clock()
    metrics = Metrics(clock)
    metrics.watching("s", "maximize").trial_finished(trial())
    with serve_metrics(metrics, host="127.0.0.1", port=0) as port:
        status, text = get(port, "/metrics")
        assert status == 200
        assert 'tuner_trials_total{state="complete",study="s"} 1.0' in text
        assert get(port, "/healthz") == (200, '{"status": "ok", "seconds_since_alive": 0.0}')
        metrics.alive(lambda: None)()
        clock.now = HUNG_AFTER_SECONDS
        status, text = get(port, "/healthz")
        assert (status, json.loads(text)["status"]) == (503, "hangs")
        assert get(port, "/")[0] == 404
        assert get(port, "/metrics", "POST")[0] == 405
    with pytest.raises(OSError, match="refused"):
        get(port, "/healthz")


def test_taken_port_is_named():
    metrics = Metrics()
    with (
        serve_metrics(metrics, host="127.0.0.1", port=0) as port,
        pytest.raises(ConfigError, match=f"--metrics-port must be free; {port}"),
        serve_metrics(metrics, host="127.0.0.1", port=port),
    ):
        pass


def test_exposition_is_one_that_prometheus_reads():
    from prometheus_client.parser import text_string_to_metric_families

    families = [*text_string_to_metric_families(generate_latest(Metrics().registry).decode())]

    assert {"tuner_trials", "tuner_loop_age_seconds"} <= {family.name for family in families}
