"""What a program holds in memory of all that was compiled."""

from types import SimpleNamespace

import numpy as np

from tuner.config import load_settings
from tuner.models import backbone_names, model_shape
from tuner.recent import Recent
from tuner.training import program as programs
from tuner.training import steps
from tuner.training.program import Program, program_for


def shape(width):
    model = load_settings(overrides=[("model.embedding_width", width)]).model
    return model_shape(model, vocabulary_size=20, n_classes=2)


def batches(size):
    return SimpleNamespace(token_ids=np.zeros((16, size, 8), np.int32), rows=None)


def test_after_many_shapes_only_the_last_used_functions_are_held(monkeypatch):
    monkeypatch.setattr(steps, "FUNCTIONS_KEPT", 3)
    program = Program(shape(2))

    first = program.steps.compiled(batches(1), 0)
    for size in (2, 3, 1, 4):
        last = program.steps.compiled(batches(size), 0)

    assert program.steps.n_functions == 3
    assert program.steps.compiled(batches(4), 0) is last
    assert program.steps.compiled(batches(1), 0) is first  # used again in between
    assert program.steps.compiled(batches(4), 1) is not last  # another frozen depth


def test_widths_that_a_backbone_does_not_have_share_its_program():
    def program(backbone, **changes):
        names = [("model.backbone", backbone), *((f"model.{n}", v) for n, v in changes.items())]
        model = load_settings(overrides=names).model
        return program_for(model_shape(model, vocabulary_size=20, n_classes=2))

    linear = program("linear", width=8, embedding_width=4)
    assert program("linear", width=16, embedding_width=8, kernel_sizes=[2]) is linear
    average = program("average", embedding_width=4, kernel_sizes=[2])
    assert program("average", embedding_width=4) is average
    assert program("average", embedding_width=8) is not average


def test_five_backbones_of_two_widths_each_are_compiled_for_once(monkeypatch):
    monkeypatch.setattr(programs._programs, "_kept", {})

    def program(backbone, width):
        model = load_settings(overrides=[("model.backbone", backbone), ("model.width", width)])
        return program_for(model_shape(model.model, vocabulary_size=20, n_classes=2))

    searched = [(backbone, width) for backbone in backbone_names() for width in (4, 8)]
    first = []
    for backbone, width in searched:
        first.append(program(backbone, width))
        for size in range(1, 9):  # as many functions as batch sizes and frozen depths make
            first[-1].steps.compiled(batches(size), 0)

    assert all(program(*names) is made for names, made in zip(searched, first, strict=True))


def test_programs_that_have_compiled_much_are_let_go_of_earlier(monkeypatch):
    def kept_after(n_functions):
        monkeypatch.setattr(
            programs, "_programs", Recent(1, weigh=lambda p: p.weight, weight_max=12_500_000)
        )
        for width in range(2, 8):
            program = program_for(shape(width))
            for size in range(1, 1 + n_functions):
                program.steps.compiled(batches(size), 0)
        return len(programs._programs)

    assert kept_after(n_functions=2) == 6
    assert kept_after(n_functions=6) == 3
