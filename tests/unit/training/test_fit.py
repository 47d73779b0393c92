import numpy as np
import pytest

from tests.kept_states import Kept
from tuner.config import load_settings
from tuner.errors import Interrupted, TrialFailed
from tuner.features import EmbeddingStart, Encoded, Ngrams, Replacements
from tuner.models import model_shape
from tuner.records import TrialSeeds
from tuner.training import LabelledTexts, fit, prepare_fit
from tuner.training.passes import Passes
from tuner.training.program import Program, program_for
from tuner.training.rates import discriminative_learning_rates

SETTINGS = {
    "model.embedding_width": 4, "model.width": 4, "training.batch_size": 8,
    "training.learning_rate": 0.05, "model.token_dropout": 0.0, "model.dropout": 0.0,
    "training.epochs": 5, "training.fine_tune_epochs": 3, "training.patience": 9,
}  # fmt: skip


def settings(**changes):
    return load_settings(overrides=[*SETTINGS.items(), *changes.items()])


def part(n, seed):
    """Texts of three tokens; the first one tells the class."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, n).astype(np.int32)
    ids = generator.integers(4, 20, (n, 3))
    ids[:, 0] = 2 + labels
    return LabelledTexts(Encoded(ids.ravel().astype(np.int32), np.full(n, 3, np.int32)), labels)


@pytest.fixture(scope="module")
def data():
    return prepare_fit(
        part(64, 0), part(24, 1), part(24, 2), vocabulary_size=20, max_tokens=3, classes=["a", "b"]
    )


SEEDS = TrialSeeds(1, 2, 3)
NO_NGRAMS = Ngrams({str(number): number for number in range(20)})


def run(data, *, stop=lambda: None, start=None, replacements=None, checkpoint=None, **changes):
    seen = []

    def report(*, epochs_completed, value, spent):
        seen.append((epochs_completed, value))

    outcome = fit(
        settings(**changes), data, seeds=SEEDS, report=report, stop_requested=stop,
        embedding_start=start, replacements=replacements, checkpoint=checkpoint,
    )  # fmt: skip
    return outcome, seen


def test_both_phases_learn_and_report_every_epoch(data):
    outcome, seen = run(data)

    assert [step for step, _ in seen] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert outcome.value > 0.9
    assert outcome.best_epoch in range(1, 9)
    assert outcome.validation.value("macro_f1") == max(value for _, value in seen)


def test_same_seeds_give_the_same_weights_bit_for_bit(data):
    (first, seen), (second, seen_again) = run(data), run(data)

    assert seen == seen_again
    assert all(np.array_equal(first.weights[name], second.weights[name]) for name in first.weights)


def test_trials_of_one_shape_and_the_folds_of_a_study_compile_nothing_new(data):
    run(data, **{"model.frozen_depth": 1})
    fold = prepare_fit(
        part(50, 3), part(31, 4), part(15, 5), vocabulary_size=17, max_tokens=3,
        classes=["a", "b"], layout=data.layout,
    )  # fmt: skip

    again, _ = run(data, **{"model.frozen_depth": 1, "training.learning_rate": 0.01})
    other, _ = run(fold, **{"model.frozen_depth": 1})

    assert (again.n_traces, other.n_traces) == (0, 0)
    assert again.seconds["compile"] == 0.0


def batch_size(size, **space):
    """Give the settings of a trial that has drawn this size from the space."""
    return {"training.batch_size": size, "space.training.batch_size": space}


def test_batch_sizes_of_a_searched_range_share_few_programs(data):
    changes = {"model.frozen_depth": 1, "training.epochs": 1}
    for size in (12, 16):
        run(data, **changes, **batch_size(size, low=4, high=40))

    drawn = [run(data, **changes, **batch_size(n, low=4, high=40))[0] for n in range(9, 17)]
    chosen, _ = run(data, **changes, **batch_size(11, choices=[11, 13]))

    assert [outcome.n_traces for outcome in drawn] == [0] * 8
    assert [name.split(": ")[1][:12] for name in chosen.spent.programs] == ["train 11 x 8"] * 2


@pytest.mark.parametrize("backbone", ["average", "linear", "transformer"])
def test_trial_of_a_searched_range_equals_one_that_was_compiled_for_its_batch_size(data, backbone):
    changes = {
        "model.backbone": backbone, "model.dropout": 0.4,
        "model.token_dropout": 0.3, "regularization.l1": 1e-4, "training.label_smoothing": 0.1,
        "training.class_weights": "balanced", "training.epochs": 2, "training.fine_tune_epochs": 1,
        "training.learning_rate": 0.005, "study.metric": "log_loss",
    }  # fmt: skip

    exact, seen = run(data, **changes, **batch_size(9, choices=[9]))
    padded, seen_padded = run(data, **changes, **batch_size(9, low=4, high=40))

    assert seen_padded == [(epoch, pytest.approx(value, rel=1e-4)) for epoch, value in seen]
    for row, row_padded in zip(exact.history, padded.history, strict=True):
        assert row_padded["loss"] == pytest.approx(row["loss"], rel=1e-4)
    assert padded.selection.value("log_loss") == pytest.approx(
        exact.selection.value("log_loss"), rel=1e-4
    )


def test_fold_with_more_words_than_its_study_has_a_layout_of_its_own(data):
    fold = prepare_fit(
        part(50, 3), part(31, 4), part(15, 5), vocabulary_size=21, max_tokens=3,
        classes=["a", "b"], layout=data.layout,
    )  # fmt: skip

    assert fold.layout.vocabulary_size == 21


def test_best_weights_are_given_back_though_later_epochs_were_worse(data):
    seen = []

    def report(*, epochs_completed, value, spent):
        seen.append(value)
        program.classifier.load(ruined) if epochs_completed == 2 else None

    shape = model_shape(settings().model, vocabulary_size=20, n_classes=2)
    program = program_for(shape)
    ruined = {name: 0 * value for name, value in program.classifier.weights().items()}
    changes = {"training.patience": 1, "training.fine_tune_epochs": 0}
    outcome = fit(settings(**changes), data, seeds=SEEDS, report=report, stop_requested=lambda: 0)

    assert outcome.best_epoch <= 2
    assert outcome.value > 0.6
    assert any(value.any() for value in outcome.weights.values())


def test_second_phase_begins_at_its_own_step_though_the_first_stopped_early(data):
    _, seen = run(data, **{"training.patience": 1, "training.learning_rate": 1e-9})

    assert [step for step, _ in seen] == [1, 2, 6, 7]


LATE = {"study.metric": "log_loss", "training.learning_rate": 0.01}  # the last epoch is the best


@pytest.fixture(scope="module")
def plain(data):
    """A trial without any option, whose weights are those of its last epoch."""
    outcome, _ = run(data, **LATE)
    assert outcome.best_epoch == 8
    return outcome


@pytest.mark.parametrize(
    "option",
    [
        {"training.class_weights": "balanced"}, {"training.label_smoothing": 0.1},
        {"training.layer_decay": 2.6}, {"model.frozen_depth": 1}, {"regularization.l1": 1e-3},
        {"regularization.l2": 1e-3}, {"model.dropout": 0.3}, {"model.token_dropout": 0.3},
        {"training.focal_gamma": 2.0},
    ],
    ids=lambda option: next(iter(option)),
)  # fmt: skip
def test_every_option_of_the_training_changes_the_weights(data, plain, option):
    changed, _ = run(data, **LATE, **option)

    kernel = "head/head/kernel"
    assert not np.array_equal(changed.weights[kernel], plain.weights[kernel])


def test_loss_that_is_not_finite_fails_the_trial_with_its_epoch(data, monkeypatch):
    monkeypatch.setattr(Program, "train", lambda *_, **__: float("nan"))

    with pytest.raises(TrialFailed, match="diverged: the loss is nan in epoch 1"):
        run(data)


def test_memory_that_runs_out_fails_the_trial_with_a_hint(data, monkeypatch):
    def exhausted(*_, **__):
        raise MemoryError

    monkeypatch.setattr(Program, "train", exhausted)

    with pytest.raises(TrialFailed, match="out of memory: try a smaller training.batch_size"):
        run(data)


def test_signal_stops_between_two_calls(data):
    calls = iter(range(100))

    def stop():
        if next(calls) == 3:
            raise Interrupted(15)

    with pytest.raises(Interrupted):
        run(data, stop=stop)


def test_signal_during_a_validation_is_heard_there_and_leaves_the_epoch_before_as_checkpoint(
    data, monkeypatch
):
    kept, validations, predict = Kept(), [], Passes.probabilities

    def counted(*arguments, **options):
        validations.append(1)
        return predict(*arguments, **options)

    def stop():
        if len(validations) == 2:
            raise Interrupted(15)

    monkeypatch.setattr(Passes, "probabilities", counted)
    with pytest.raises(Interrupted):
        run(data, stop=stop, checkpoint=kept)

    assert sorted(kept.saved) == [1]


def test_compiling_ends_with_what_compiles_and_leaves_out_the_rest_of_a_validation():
    several = prepare_fit(
        part(8, 0),
        part(9000, 1),
        part(24, 2),
        vocabulary_size=22,
        max_tokens=3,
        classes=["a", "b"],
    )
    program = Program(model_shape(settings().model, vocabulary_size=22, n_classes=2))
    calls, later = several.validation.calls, []

    def stop():
        later.append(program.compiling.seconds)

    program.passes.probabilities(calls, 9000, stop_requested=stop)

    assert len(calls) > 1
    assert later[0] == 0.0
    assert set(later[1:]) == {program.compiling.seconds}


def test_rates_fall_towards_the_input_by_the_ratio():
    assert discriminative_learning_rates(2.6, decay=2.6, n_groups=3) == pytest.approx(
        (1 / 2.6, 1.0, 2.6)
    )


START = EmbeddingStart(np.array([2, 3, 7]), np.eye(3, 4, dtype=np.float32) * 2)
VECTORS = {"model.vectors": "vectors.npz"}


def embeddings(outcome):
    return outcome.weights["embedding/embedding/embeddings"]


def test_frozen_vectors_stay_bit_equal_and_free_ones_learn(data):
    frozen, _ = run(data, start=START, **VECTORS, **{"model.freeze_vectors": True})
    free, _ = run(data, start=START, **VECTORS)

    assert np.array_equal(embeddings(frozen)[START.ids], START.values)
    assert not np.array_equal(embeddings(free)[START.ids], START.values)
    assert free.value > 0.9


def test_words_without_a_vector_start_at_the_scale_of_those_with_one(data):
    outcome, _ = run(data, start=START, **VECTORS, **{"model.freeze_vectors": True})

    others = np.delete(embeddings(outcome), START.ids, axis=0)
    bound = np.sqrt(3) * START.values.std()
    assert np.abs(others).max() <= bound
    assert np.abs(others).max() > 0.8 * bound


def test_trial_after_one_with_vectors_starts_at_random_again(data):
    before, _ = run(data)
    run(data, start=START, **VECTORS, **{"model.freeze_vectors": True})
    after, _ = run(data)

    assert np.array_equal(embeddings(before), embeddings(after))


def test_augmentation_repeats_itself_bit_for_bit_and_compiles_nothing(data):
    tokens = np.arange(20, dtype=np.int32)
    tables = Replacements(np.roll(tokens, 1)[:, None], tokens[:, None], NO_NGRAMS, 1)
    plain, _ = run(data)
    strengths = {"augmentation.neighbours": 0.2, "augmentation.deletion": 0.1}

    (first, seen), (second, again) = (
        run(data, replacements=tables, **strengths) for _ in range(2)
    )

    assert seen == again
    assert np.array_equal(embeddings(first), embeddings(second))
    assert not np.array_equal(embeddings(first), embeddings(plain))
    assert first.n_traces == second.n_traces == 0


def test_validation_and_selection_texts_are_never_augmented(data):
    tokens = np.zeros(20, np.int32) + 5  # every token of a changed text becomes the same one
    tables = Replacements(tokens[:, None], tokens[:, None], NO_NGRAMS, ngrams=1)
    still = {"training.learning_rate": 1e-9}
    strongest = {"augmentation.neighbours": 0.99, "augmentation.share": 1.0}

    plain, seen = run(data, **still)
    augmented, seen_augmented = run(data, replacements=tables, **still, **strongest)

    assert seen_augmented == seen
    assert augmented.selection.value("log_loss") == pytest.approx(
        plain.selection.value("log_loss"), abs=1e-6
    )
    assert augmented.history[0]["loss"] != plain.history[0]["loss"]


def test_focal_loss_compiles_nothing(data, plain):
    assert run(data, **{"training.focal_gamma": 2.0})[0].n_traces == 0


RESUMED = {**LATE, "model.dropout": 0.3, "model.frozen_depth": 1}


@pytest.fixture(scope="module")
def through(data):
    """A trial that ran through, what it reported, and its state after every epoch."""
    kept = Kept()
    return *run(data, checkpoint=kept, **RESUMED), kept.saved


@pytest.mark.parametrize("epoch", [1, 4, 5, 6, 8])
def test_trial_that_goes_on_from_its_checkpoint_ends_bit_for_bit_as_one_that_ran_through(
    data, through, epoch
):
    whole, seen, saved = through
    # Leaves other weights and moments behind.
    run(data, **{"training.learning_rate": 0.2, "training.epochs": 1})

    resumed, seen_again = run(data, checkpoint=Kept(saved[epoch]), **RESUMED)

    assert sorted(saved) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert seen_again == seen[epoch:]
    # Added up call by call, whose size follows the time they take: not of the same bits.
    losses = [[row["loss"] for row in outcome.history] for outcome in (resumed, whole)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert (resumed.value, resumed.best_epoch) == (whole.value, whole.best_epoch)
    assert resumed.validation == whole.validation
    for name, weights in whole.weights.items():
        assert np.array_equal(resumed.weights[name], weights)


def test_linear_keeps_frozen_scores_and_the_weights_of_tokens(data):
    settings_of = {
        "model.backbone": "linear", "model.frozen_depth": 1, "training.epochs": 2,
        "training.learning_rate": 5e-4, "study.metric": "log_loss",
    }  # fmt: skip
    whole, _ = run(data, **settings_of)
    half, _ = run(data, **{**settings_of, "training.fine_tune_epochs": 0})

    name = "scores/embedding/embeddings"
    assert np.array_equal(whole.weights[name], half.weights[name])
    assert not np.array_equal(whole.weights["head/head/kernel"], half.weights["head/head/kernel"])
