"""The Grafana dashboard: its queries parse, and ask for what tuner shows."""

from __future__ import annotations

import json

import promql_parser
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import ROOT
from tuner.counters import CACHE_FOUND, count
from tuner.records import TrialRecord
from tuner.service.metrics import Metrics

DASHBOARD = json.loads((ROOT / "deploy/grafana/tuner.json").read_text("utf-8"))
PANELS = DASHBOARD["panels"]
QUERIES = [
    (panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]
]  # fmt: skip
# Prometheus itself gives every sample these.
SCRAPED = {"instance", "job"}


def selectors(node):
    """All selectors of metrics in a parsed query."""
    if isinstance(node, promql_parser.VectorSelector):
        return [node]
    inner = [
        getattr(node, name)
        for name in ("lhs", "rhs", "expr", "vector_selector")
        if hasattr(node, name)
    ]
    return [found for child in [*inner, *getattr(node, "args", [])] for found in selectors(child)]


@pytest.fixture(scope="module")
def shown():
    """Metric names that a process shows, each with its labels."""
    metrics = Metrics()
    watcher = metrics.watching("s", "maximize")
    watcher.study_started([])
    watcher.trial_started(0, {})
    watcher.epoch_finished(0, 1, 0.5)
    watcher.trial_finished(
        TrialRecord(
            number=0, origin=0, state="complete", value=0.5, params={}, intermediate={},
            seconds=1.0, started=None, attributes={"seconds": {"train": 1.0}},
        )
    )  # fmt: skip
    watcher.confirmation_started(1, 0, 1.0)
    count(CACHE_FOUND, "tokens")
    text = generate_latest(metrics.registry).decode()
    labels: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels.setdefault(sample.name, set(SCRAPED)).update(sample.labels)
    return labels


@pytest.mark.parametrize(("title", "query"), QUERIES)
def test_query_asks_for_metrics_and_labels_that_exist(shown, title, query):
    parsed = promql_parser.parse(query.replace("$__rate_interval", "5m"))
    asked = selectors(parsed)

    assert asked
    for selector in asked:
        assert selector.name in shown
        assert {matcher.name for matcher in selector.matchers.matchers} <= shown[selector.name]


def test_every_metric_of_tuner_has_a_panel(shown):
    queries = " ".join(query for _, query in QUERIES)
    own = {name.removesuffix("_bucket") for name in shown if name.startswith("tuner_")}
    own = {name for name in own if not name.endswith(("_count", "_sum", "_created"))}

    assert [name for name in sorted(own) if name not in queries] == []


def test_panels_do_not_overlap_and_share_one_data_source():
    taken = [
        (x, y)
        for panel in PANELS
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(taken) == len({*taken})
    assert max(x for x, _ in taken) == 23
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert {panel["datasource"]["uid"] for panel in PANELS} == {"${datasource}"}
    assert {v["name"] for v in DASHBOARD["templating"]["list"]} == {"datasource", "study"}
