"""What every backbone must do."""

import numpy as np
import pytest
import tensorflow as tf

from tuner.config import ModelSettings
from tuner.errors import CheckpointError, ConfigError
from tuner.features import Encoded
from tuner.models import ModelShape, backbone_class, backbone_names
from tuner.models.classifier import Classifier
from tuner.models.layers import Dropout
from tuner.training import data
from tuner.training.batches import TrainBucket, make_batches
from tuner.training.data import prediction_calls
from tuner.training.program import Program
from tuner.training.steps import Hyperparameters

IDS = np.array([[2, 3, 4, 5, 0, 0, 0, 0], [6, 7, 0, 0, 0, 0, 0, 0]], np.int32)


def shape(backbone):
    return ModelShape(backbone, 20, 3, 4, 5, (2, 3))


@pytest.fixture(params=backbone_names())
def classifier(request):
    model = Classifier(shape(request.param))
    model.configure(ModelSettings())
    model.reset(seed=1)
    return model


def test_there_is_more_than_one_layer_group_below_the_head(classifier):
    assert len(classifier.group_names) >= 3
    assert classifier.group_names[-1] == "head"


def test_logits_have_a_column_a_class(classifier):
    assert classifier(IDS).shape == (2, 3)


def test_padding_leaks_nothing(classifier):
    short = classifier(IDS[:, :5]).numpy()

    np.testing.assert_allclose(classifier(IDS).numpy(), short, atol=1e-6)


def test_same_seed_gives_the_same_weights_and_another_seed_others(classifier):
    first = classifier.weights()
    classifier.reset(seed=2)
    second = classifier.weights()
    classifier.reset(seed=1)

    assert all(np.array_equal(first[name], value) for name, value in classifier.weights().items())
    assert any(not np.array_equal(first[name], second[name]) for name in first)


def test_weights_survive_reading_and_setting(classifier):
    logits = classifier(IDS).numpy()
    weights = classifier.weights()
    classifier.reset(seed=2)
    classifier.load(weights)

    assert np.array_equal(classifier(IDS).numpy(), logits)


def test_weights_of_another_shape_are_refused(classifier):
    weights = classifier.weights()
    name = next(iter(weights))

    with pytest.raises(CheckpointError, match="must have shape"):
        classifier.load({**weights, name: np.zeros((1, 1), np.float32)})
    with pytest.raises(CheckpointError, match="missing"):
        classifier.load({})


def test_dropout_rate_of_zero_changes_nothing(classifier):
    @tf.function(jit_compile=True, autograph=False)
    def logits(rate):
        return classifier(tf.constant(IDS), Dropout(rate, rate, tf.constant([1, 2])))

    unhidden = classifier(IDS).numpy()

    np.testing.assert_allclose(logits(tf.constant(0.0)).numpy(), unhidden, atol=1e-6)
    assert not np.allclose(logits(tf.constant(0.9)).numpy(), unhidden, atol=1e-3)


def train(program, *, frozen_depth=0, dropout=0.3, steps=4, l2=0.0, rate=0.01):
    hyperparameters = Hyperparameters(
        rates=(rate,) * len(program.classifier.group_names),
        l1=0.0, l2=l2, dropout=dropout, token_dropout=dropout, label_smoothing=0.0,
        focal_gamma=0.0, momentum=1.0,
        class_weights=np.ones(3, np.float32),
    )  # fmt: skip
    batches = make_batches(
        TrainBucket(IDS, np.array([0, 2], np.int32)),
        np.tile([[0, 1]], (4, 1)).astype(np.int32),
        np.ones((4, 2), np.float32),
        vocabulary_size=20,
        rows_max=64 if program.touches_rows(frozen_depth) else None,
    )
    return program.train(
        batches, start=0, stop=steps, frozen_depth=frozen_depth,
        hyperparameters=hyperparameters.tensors(), dropout_seed=3,
    )  # fmt: skip


@pytest.mark.parametrize("backbone", backbone_names())
def test_frozen_groups_stay_bit_equal_and_the_others_learn(backbone):
    for depth in range(len(backbone_class(backbone).GROUPS) + 1):
        program = Program(shape(backbone))
        program.classifier.reset(seed=1)
        before = program.classifier.weights()
        train(program, frozen_depth=depth, l2=0.1)
        after = program.classifier.weights()

        for name, _, group in program.classifier.variables():
            is_equal = np.array_equal(before[name], after[name])
            assert is_equal == (group < depth), name


@pytest.mark.parametrize("backbone", backbone_names())
def test_one_program_serves_all_hyperparameters_and_its_loss_falls(backbone):
    program = Program(shape(backbone))
    program.classifier.reset(seed=1)

    losses = [
        train(program, dropout=dropout, l2=l2)
        for dropout, l2 in [(0.0, 0.0), (0.5, 0.01), (0.1, 0.0), (0.0, 0.0), (0.0, 0.0)]
    ]

    assert program.compiling.n_traces == 1
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("backbone", backbone_names())
def test_probabilities_of_a_text_do_not_depend_on_its_company(backbone):
    program = Program(shape(backbone))
    program.classifier.reset(seed=1)
    lengths = np.array([4, 2], np.int32)
    both = program.passes.probabilities(prediction_calls(Encoded(IDS[IDS != 0], lengths), [8]), 2)
    alone = program.passes.probabilities(
        prediction_calls(Encoded(IDS[1, :2], lengths[1:]), [8]), 1
    )

    assert np.array_equal(both[1], alone[0])
    np.testing.assert_allclose(both.sum(axis=1), 1.0, atol=1e-6)


def test_every_text_of_a_long_part_has_its_own_probabilities(monkeypatch):
    monkeypatch.setattr(data, "PREDICTION_ROWS_MAX", 4)  # rows of one batch
    program = Program(shape("average"))
    program.classifier.reset(seed=1)
    lengths = np.random.default_rng(1).integers(1, 9, 43).astype(np.int32)  # two lengths, mixed
    token_ids = np.random.default_rng(2).integers(2, 20, lengths.sum()).astype(np.int32)

    def predict(token_ids, lengths):
        calls = prediction_calls(Encoded(token_ids, lengths), [4, 8])
        return program.passes.probabilities(calls, len(lengths))

    together = predict(token_ids, lengths)
    texts = np.split(token_ids, np.cumsum(lengths)[:-1])
    alone = [predict(text, np.array([len(text)], np.int32))[0] for text in texts]

    assert np.array_equal(together, alone)
    assert program.compiling.n_traces == 2  # one a length


def test_unknown_backbone_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match=r"model.backbone.*Did you mean 'average'"):
        backbone_class("averge")
