from tuner.cli.summary import show_best


def test_parameter_that_the_backbone_does_not_use_is_marked(capsys):
    show_best(
        {
            "trial": 3,
            "objective": {"metric": "macro_f1", "value": 0.9, "direction": "maximize"},
            "data": {"selection": 40},
            "params": {"model.backbone": "linear", "model.dropout": 0.25, "model.frozen_depth": 1},
            "unused_params": ["model.dropout"],
            "config": {"model": {"backbone": "average"}},
            "test": {"macro_f1": None},
        }
    )

    shown = capsys.readouterr().out.splitlines()
    assert "  model.dropout = 0.25 (has no meaning for linear)" in shown
    assert "  model.frozen_depth = 1" in shown
