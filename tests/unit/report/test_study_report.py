import json
import math

import pytest

from tuner.report.study_report import study_report

CONTENT = {
    "schema": 1,
    "study": "reviews-1a2b3c4d",
    "outcome": "complete",
    "trial": 7,
    "objective": {"metric": "macro_f1", "direction": "maximize", "value": 0.91},
    "params": {"model.dropout": 0.3},
    "test": {"accuracy": 0.9, "macro_f1": 0.89, "n": 100, "reads": 1},
    "trials": {"complete": 10, "pruned": 2, "failed": 0, "retried": 0},
    "data": {"fingerprint": "ab", "test": 100, "classes": ["bad", "good"]},
    "seed": 0,
    "versions": {"tuner": "0.1.0"},
}


def report(**changes):
    return study_report(
        **{"content": CONTENT, "slices": {}, "calibration": None, "importances": None} | changes
    )


def test_report_says_which_study_it_is_of_and_how_often_the_test_was_read():
    found = report()

    assert (found["schema"], found["study"], found["trial"]) == (1, "reviews-1a2b3c4d", 7)
    assert found["objective"]["value"] == 0.91
    assert found["test_reads"] == 1


def test_what_was_not_done_is_none_and_not_missing():
    found = report()

    names = ("verdict", "confirmation", "calibration", "importances", "label_noise")
    assert [found[name] for name in names] == [None] * 5
    assert (found["slices"], found["edges"]) == ({}, [])


def test_verdict_and_confirmation_are_taken_from_the_best_params():
    found = report(content={**CONTENT, "verdict": {"kind": "worth it"}, "confirmation": {"k": 5}})

    assert (found["verdict"], found["confirmation"]) == ({"kind": "worth it"}, {"k": 5})


def test_slices_of_both_parts_and_edges_are_passed_on_with_user_text_raw():
    slices = {
        "selection": {"n": 10, "worst_errors": [{"text": "<script>差评</script>"}]},
        "test": {"n": 20, "worst_errors": []},
    }
    edges = ({"name": "model.dropout", "side": "upper"},)

    found = report(slices=slices, edges=edges)

    assert found["slices"]["selection"]["worst_errors"][0]["text"] == "<script>差评</script>"
    assert found["slices"]["test"]["n"] == 20
    assert found["edges"] == [{"name": "model.dropout", "side": "upper"}]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_does_not_know_become_none(value):
    found = report(calibration={"parts": {"test": {"ece": value, "bins": [1.0, value]}}})

    assert found["calibration"]["parts"]["test"] == {"ece": None, "bins": [1.0, None]}
    json.dumps(found, allow_nan=False)


def test_report_does_not_share_its_lists_with_the_caller():
    importances = {"parameters": [{"name": "model.dropout"}]}

    found = report(importances=importances)
    found["importances"]["parameters"].clear()

    assert importances == {"parameters": [{"name": "model.dropout"}]}
