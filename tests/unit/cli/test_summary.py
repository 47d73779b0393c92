from tuner.cli.summary import show_best

BEST = {
    "trial": 3,
    "objective": {"metric": "macro_f1", "value": 0.9, "direction": "maximize"},
    "data": {"selection": 40},
    "params": {},
    "config": {"model": {"backbone": "average"}},
    "test": {"macro_f1": None},
}


def test_parameter_that_the_backbone_does_not_use_is_marked(capsys):
    params = {"model.backbone": "linear", "model.dropout": 0.25, "model.frozen_depth": 1}
    show_best({**BEST, "params": params, "unused_params": ["model.dropout"]})

    shown = capsys.readouterr().out.splitlines()
    assert "  model.dropout = 0.25 (has no meaning for linear)" in shown
    assert "  model.frozen_depth = 1" in shown


def test_score_that_was_searched_for_stands_in_the_table_with_its_interval(capsys):
    def scores(log_loss):
        intervals = {"log_loss": {"low": 0.2, "high": 0.4}} if log_loss else {}
        return {"accuracy": 0.75, "macro_f1": 0.5, "log_loss": log_loss, "intervals": intervals}

    objective = {"metric": "log_loss", "value": 0.31, "direction": "minimize"}
    baselines = {"tfidf_words": {"test": scores(None)}}
    test = {**scores(0.3), "n": 20, "reads": 1}
    show_best({**BEST, "objective": objective, "test": test, "baselines": baselines})

    head, winner, baseline = capsys.readouterr().out.splitlines()[-3:]
    assert head.endswith("95 % interval of log loss")
    assert winner.split() == [
        "best",
        "trial",
        "0.7500",
        "0.5000",
        "0.3000",
        "0.2000",
        "to",
        "0.4000",
    ]
    assert baseline.split() == ["tfidf_words", "0.7500", "0.5000"]
