"""Trials on a pretrained encoder: what is frozen, what is shared, what repeats."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import make_rows
from tests.kept_states import Kept
from tests.tiny_checkpoints import FAMILIES, write_bert
from tuner.config import Settings
from tuner.errors import CheckpointError, TrialFailed
from tuner.models import open_checkpoint
from tuner.persist import Cache
from tuner.records import TrialOutcome, TrialSeeds, TrialState
from tuner.training.encoder import EncoderData, EncoderTexts, LabelledRows, fit_encoder
from tuner.training.encoder.adam import EncoderAdam
from tuner.training.encoder.prediction import predict_rows
from tuner.training.encoder.prefix import FrozenPrefix
from tuner.training.encoder.program import encoder_program
from tuner.training.encoder.schedule import rate_factor
from tuner.training.encoder.texts import batches_of_like_length

TEXTS, LABELS = zip(*((text, int(label == "正面")) for text, label in make_rows(48)), strict=True)


LOG_LOSS = {"metric": "log_loss"}  # improves by every epoch, where the macro-F1 does not


def settings(folder, *, training=None, regularization=None, study=None, **model):
    return Settings.model_validate(
        {
            "study": study or {},
            "model": {"backbone": "pretrained", "checkpoint": str(folder), **model},
            "training": {"epochs": 2, "fine_tune_epochs": 2, "batch_size": 8, "patience": 9,
                         "steps_per_epoch_min": 10, "encoder_learning_rate": 1e-3}
                        | (training or {}),
            "regularization": regularization or {},
        }
    )  # fmt: skip


def data_of(wanted, cache):
    checkpoint = open_checkpoint(wanted.model)
    texts = EncoderTexts(checkpoint, checkpoint.encode(TEXTS, max_tokens=40))
    parts = [
        LabelledRows(np.arange(a, b), np.array(LABELS[a:b], np.int32))
        for a, b in ((0, 24), (24, 36), (36, 48))
    ]
    return EncoderData(texts, *parts, ("负面", "正面"), cache)


def run(wanted, cache=None, *, seeds=(1, 2, 3), reported=None, checkpoint=None):
    steps = [] if reported is None else reported
    return fit_encoder(
        wanted,
        data_of(wanted, cache),
        seeds=TrialSeeds(*seeds),
        report=lambda *, epochs_completed, value, **_: steps.append((epochs_completed, value)),
        stop_requested=lambda: None,
        checkpoint=checkpoint,
    )


def program_of(wanted):
    return encoder_program(
        open_checkpoint(wanted.model), n_classes=2, model=wanted.model, training=wanted.training
    )


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return write_bert(tmp_path_factory.mktemp("checkpoint") / "bert", n_blocks=3)


@pytest.mark.parametrize("family", FAMILIES)
def test_groups_below_the_cut_stay_bit_equal_to_the_checkpoint_and_those_above_move(
    family, tmp_path
):
    folder = FAMILIES[family](tmp_path / family)
    n_groups = len(open_checkpoint(settings(folder).model).architecture.group_names)
    moved = {}
    for depth in range(n_groups + 1):
        wanted = settings(folder, frozen_depth=depth, training={"epochs": 1})
        program = program_of(wanted)
        moved[depth] = after_each_epoch(wanted, partial(moved_groups, program))
        assert program.passes.n_untouched >= depth

    assert moved == {
        depth: [set()] + 2 * [set(range(depth, n_groups))] for depth in range(n_groups + 1)
    }


def moved_groups(program):
    """The groups below the head that differ from the checkpoint."""
    weights = program.checkpoint.weights
    return {
        group
        for name, (variable, group) in program.network.variables(lowest=0).items()
        if group < program.n_groups and not np.array_equal(variable.numpy(), weights[name])
    }


def after_each_epoch(wanted, look):
    """What `look` finds once each epoch has been reported."""
    found = []
    fit_encoder(
        wanted, data_of(wanted, None), seeds=TrialSeeds(1, 2, 3),
        report=lambda **_: found.append(look()), stop_requested=lambda: None,
    )  # fmt: skip
    return found


def test_the_best_weights_are_those_from_the_cut_up(bert):
    training = {"epochs": 1, "fine_tune_epochs": 6}
    wanted = settings(bert, frozen_depth=2, training=training, study=LOG_LOSS)

    outcome = run(wanted)

    assert outcome.best_epoch > 1
    groups = {name.split("/")[0] for name in outcome.weights}
    assert groups == {"block_1", "block_2", "head"}


def test_fine_tuning_moves_every_open_weight_and_no_other(bert):
    wanted = settings(bert, frozen_depth=2, training={"schedule": "constant"})
    program = program_of(wanted)
    run(wanted)
    program.reset(data_of(wanted, None).texts, seed=1)
    data = data_of(wanted, None)
    from tuner.training.encoder.fit import _EncoderTrial

    trial = _EncoderTrial(wanted, data, TrialSeeds(1, 2, 3), lambda **_: None, lambda: None)
    trial._fine_tune()
    weights = program.checkpoint.weights
    moved = {
        name
        for name, (variable, group) in program.network.variables(lowest=0).items()
        if group < program.n_groups and not np.array_equal(variable.numpy(), weights[name])
    }

    assert moved == {name for name in weights if name.startswith(("block_1", "block_2"))}


def test_the_same_seeds_give_the_same_weights_and_others_others(bert):
    wanted = settings(bert, training={"epochs": 1, "fine_tune_epochs": 1})
    first, second = run(wanted), run(wanted)
    other = run(wanted, seeds=(4, 5, 6))

    assert first.history == second.history
    assert all(np.array_equal(first.weights[name], second.weights[name]) for name in first.weights)
    assert other.history != first.history


@dataclass(frozen=True)
class Through:
    """A trial that ran through: what it reported and its state after every epoch."""

    wanted: Settings
    outcome: TrialOutcome
    seen: list[tuple[int, float]]
    saved: dict[int, TrialState]

    @classmethod
    def of(cls, wanted, cache=None):
        kept, seen = Kept(), []
        return cls(wanted, run(wanted, cache, checkpoint=kept, reported=seen), seen, kept.saved)

    def goes_on_alike(self, epoch, cache=None):
        """Let a trial go on from the state after an epoch; it has to end as this one."""
        seen = []
        resumed = run(self.wanted, cache, checkpoint=Kept(self.saved[epoch]), reported=seen)
        assert seen == self.seen[epoch:]
        assert resumed.history == self.outcome.history
        assert resumed.selection == self.outcome.selection
        assert resumed.weights.keys() == self.outcome.weights.keys()
        for name, values in self.outcome.weights.items():
            assert np.array_equal(resumed.weights[name], values)


@pytest.fixture(scope="module")
def through(bert):
    return Through.of(
        settings(bert, frozen_depth=1, regularization={"l2_sp": 1e-3}, study=LOG_LOSS)
    )


@pytest.mark.parametrize("epoch", [1, 2, 3, 4])
def test_trial_that_goes_on_from_its_checkpoint_ends_as_one_that_ran_through(bert, through, epoch):
    assert through.outcome.best_epoch == 4
    run(settings(bert, training={"learning_rate": 0.2}))  # leaves other weights behind

    through.goes_on_alike(epoch)


@pytest.fixture(scope="module")
def unfrozen(bert, tmp_path_factory):
    wanted = settings(bert, training={"gradual_unfreezing": True, "fine_tune_epochs": 3})
    return Through.of(wanted, Cache(tmp_path_factory.mktemp("whole")))


@pytest.fixture(scope="module")
def without_a_cache(bert):
    """By frozen depth, a trial."""
    return {depth: run(settings(bert, frozen_depth=depth)) for depth in (1, 2, 4)}


@pytest.mark.parametrize("epoch", [1, 2, 3, 4, 5])
def test_gradual_unfreezing_that_goes_on_leaves_a_cache_that_later_trials_can_use(
    bert, tmp_path, unfrozen, without_a_cache, epoch
):
    cache = Cache(tmp_path)

    unfrozen.goes_on_alike(epoch, cache)

    for depth in (1, 2):
        later = run(settings(bert, frozen_depth=depth), cache)
        assert later.history == without_a_cache[depth].history


def test_a_prefix_of_trained_groups_is_never_kept(bert, tmp_path):
    wanted = settings(bert, frozen_depth=1)
    data, program = data_of(wanted, None), program_of(wanted)
    program.reset(data.texts, seed=1)
    cut = program.load(program.trained(data.texts, cut=1), data.texts)
    prefix = FrozenPrefix(data.texts, program.passes, Cache(tmp_path))

    prefix.prepare(cut, stop_requested=lambda: None)
    with pytest.raises(RuntimeError, match="only the lowest 1 hold the checkpoint's weights"):
        prefix.prepare(cut + 1, stop_requested=lambda: None)
    with pytest.raises(RuntimeError, match="only the lowest 1 hold the checkpoint's weights"):
        prefix.pooled("mean", stop_requested=lambda: None)


def test_steps_are_reported_over_both_phases(bert):
    reported = []
    outcome = run(settings(bert, frozen_depth=3), reported=reported)

    assert [step for step, _ in reported] == [1, 2, 3, 4]
    assert outcome.validation.value("macro_f1") == max(value for _, value in reported)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_scores_with_the_cache_equal_those_without(bert, tmp_path, without_a_cache, depth):
    wanted, without = settings(bert, frozen_depth=depth), without_a_cache[depth]
    cold = run(wanted, Cache(tmp_path))
    warm = run(wanted, Cache(tmp_path))

    assert cold.history == warm.history == without.history
    assert cold.selection == warm.selection == without.selection


class Watched:
    """Passes that note which groups were run."""

    def __init__(self, passes):
        self._passes = passes
        self.n_untouched = passes.n_untouched
        self.ran = set()

    def frozen(self, values, lengths, start, stop):
        self.ran.add((start, stop))
        return self._passes.frozen(values, lengths, start, stop)

    def pool(self, values, lengths, pooling):
        return self._passes.pool(values, lengths, pooling)


def test_a_deeper_entry_starts_from_the_one_below(bert, tmp_path):
    wanted = settings(bert)
    data, program = data_of(wanted, None), program_of(wanted)
    program.reset(data.texts, seed=0)
    rows = data.texts.prediction_batches(np.arange(48))[0]
    found, ran = [], []
    for name, depths in {"direct": [3], "by steps": [1, 3]}.items():
        watched = Watched(program.passes)
        prefix = FrozenPrefix(data.texts, watched, Cache(tmp_path / name))
        for depth in depths:
            prefix.prepare(depth, stop_requested=lambda: None)
        found.append(np.array(prefix.batch(3, rows)))
        ran.append(watched.ran)

    assert ran == [{(0, 3)}, {(0, 1), (1, 3)}]
    assert np.array_equal(*found)


def test_the_encoder_runs_once_for_all_poolings(bert, tmp_path):
    data, program = data_of(settings(bert), None), program_of(settings(bert))
    program.reset(data.texts, seed=0)
    runs = []
    for _ in range(2):  # as two trials do
        for pooling in ("mean", "cls", "max"):
            watched = Watched(program.passes)
            prefix = FrozenPrefix(data.texts, watched, Cache(tmp_path))
            found = prefix.pooled(pooling, stop_requested=lambda: None)
            alone = FrozenPrefix(data.texts, program.passes, None)
            assert np.array_equal(found, alone.pooled(pooling, stop_requested=lambda: None))
            runs.append(watched.ran)

    assert runs == [{(0, 4)}, set(), set(), set(), set(), set()]


def test_a_prefix_larger_than_the_cache_may_hold_is_computed_anew_and_said(bert, tmp_path, caplog):
    cache = Cache(tmp_path)
    cache.set_limit(1_000)
    wanted = settings(bert, frozen_depth=2)

    with caplog.at_level("WARNING"):
        found = run(wanted, cache)

        run(settings(bert, frozen_depth=1), cache)  # once a process, not once a trial

    assert [record.getMessage() for record in caplog.records] == [
        "the frozen prefix is computed anew for every batch: its 46.1 KB a depth are more than "
        "the cache may hold (1.0 KB); `tuner cache limit` raises that"
    ]
    assert found.history == run(wanted).history


def test_probe_and_fine_tuning_learn(bert):
    history = run(settings(bert, training={"epochs": 4, "fine_tune_epochs": 3})).history

    assert history[3]["loss"] < history[0]["loss"]
    assert history[-1]["loss"] < history[4]["loss"]


def weights_after_the_last_epoch(wanted):
    kept = Kept()
    run(wanted, checkpoint=kept)
    arrays = kept.saved[max(kept.saved)].arrays
    return {name: values for name, values in arrays.items() if name.startswith("weights/")}


def test_small_passes_add_up_to_the_same_steps(bert):
    """Nine steps of 8 rows, in passes of 3, 3 and 2 rows with class weights of their own."""
    training = {"epochs": 1, "fine_tune_epochs": 3, "encoder_batch_size": 8, "warmup": 0.0,
                "encoder_schedule": "constant", "class_weights": "balanced"}  # fmt: skip
    model = {"encoder_dropout": 0.0, "dropout": 0.0, "frozen_depth": 0}

    whole = weights_after_the_last_epoch(settings(bert, training=training, **model))
    parts = weights_after_the_last_epoch(
        settings(bert, training=training | {"encoder_micro_batch_size": 3}, **model)
    )

    before = open_checkpoint(settings(bert).model).weights["block_0/output/kernel"]
    assert np.abs(whole["weights/block_0/output/kernel"] - before).max() > 5e-3
    assert whole.keys() == parts.keys()
    for name, values in whole.items():
        np.testing.assert_allclose(parts[name], values, atol=1e-4, err_msg=name)


@pytest.mark.parametrize(
    "changed",
    [
        {"pooling": "cls"}, {"pooling": "max"}, {"head_width": 4}, {"encoder_dropout": 0.5},
    ],
)  # fmt: skip
def test_settings_of_the_model_change_the_trial(bert, changed):
    assert run(settings(bert, **changed)).history != run(settings(bert)).history


@pytest.mark.parametrize(
    "changed",
    [
        {"gradual_unfreezing": True}, {"warmup": 0.5}, {"encoder_schedule": "constant"},
        {"encoder_schedule": "cosine"}, {"layer_decay": 2.0}, {"precision": "bfloat16"},
        {"encoder_batch_size": 4},
    ],
)  # fmt: skip
def test_settings_of_the_training_change_fine_tuning_alone(bert, changed):
    changed_run = run(settings(bert, training=changed)).history
    plain = run(settings(bert)).history

    assert changed_run[:2] == plain[:2]
    assert changed_run[2:] != plain[2:]


def test_trials_of_other_pooling_head_depth_and_precision_share_what_was_compiled(tmp_path):
    bert = write_bert(tmp_path / "bert", seed=71)
    everything = [
        settings(bert, pooling=pooling, head_width=width, frozen_depth=depth)
        for pooling in ("mean", "cls", "max")
        for width in (None, 8)
        for depth in (0, 1)
    ]
    everything.append(settings(bert, training={"precision": "bfloat16"}))
    spent = [run(wanted).spent for wanted in everything]
    programs = [name for each in spent for name in each.programs]
    again = [run(wanted).spent for wanted in everything]

    assert len(set(programs)) == len(programs)
    assert {f"run {pooling} pooling" for pooling in ("mean", "cls", "max")} <= {
        name.split(": ")[1] for name in programs
    }
    assert {f"train {head}" for head in ("the linear head", "the head of 8 units")} <= {
        name.split(": ")[1] for name in programs
    }
    assert not any(each.programs for each in again)
    assert spent[0].seconds["compile"] > 0.0
    assert {each.seconds["compile"] for each in again} == {0.0}


def test_a_trial_does_not_depend_on_the_pooling_and_head_of_those_before_it(bert):
    wanted = settings(bert, frozen_depth=1, head_width=4)
    before = run(wanted)
    run(settings(bert, pooling="max"))
    run(settings(bert, pooling="cls", head_width=8, training={"precision": "bfloat16"}))
    after = run(wanted)

    assert before.history == after.history
    assert before.selection == after.selection


def test_l2_sp_keeps_weights_near_the_checkpoint():
    kernel = tf.Variable([[3.0, -1.0]])
    adam = EncoderAdam()
    variables = {"block_0/output/kernel": (kernel, 1)}
    adam.prepare(variables, {"block_0/output/kernel": np.array([[1.0, -1.0]], np.float32)})
    for _ in range(400):
        adam.apply(
            variables, {"block_0/output/kernel": tf.zeros((1, 2))},
            rates=np.array([0.0, 0.05], np.float32), l1=0.0, l2=0.0, l2_sp=0.1,
        )  # fmt: skip

    np.testing.assert_allclose(kernel.numpy(), [[1.0, -1.0]], atol=0.05)


@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_penalties_draw_kernels_and_the_words_of_the_batch_to_0(penalty):
    def step_of(**penalties):
        names = ("block_0/output/kernel", "block_0/output/bias", "embedding/word")
        variables = {name: (tf.Variable([[3.0, -1.0], [3.0, -1.0]]), 0) for name in names}
        adam = EncoderAdam()
        adam.prepare(variables, {})
        batch = tf.constant([[-1e-3, 1e-3], [0.0, 0.0]])  # the second word is not in it
        adam.apply(
            variables,
            {name: batch if name == "embedding/word" else tf.zeros((2, 2)) for name in names},
            rates=np.array([0.5], np.float32),
            **({"l1": 0.0, "l2": 0.0, "l2_sp": 0.0} | penalties),
        )
        return [variable.numpy() for variable, _ in variables.values()]

    without = step_of()
    kernel, bias, words = step_of(**{penalty: 0.1})

    np.testing.assert_allclose(without[2], [[3.5, -1.5], [3.0, -1.0]], atol=0.01)
    np.testing.assert_allclose(kernel, [[2.5, -0.5]] * 2, atol=1e-4)
    np.testing.assert_allclose(words, [[2.5, -0.5], [3.0, -1.0]], atol=0.01)
    np.testing.assert_array_equal(bias, [[3.0, -1.0]] * 2)


def test_steps_equal_those_of_keras():
    generator = np.random.default_rng(0)
    start = generator.normal(size=(3, 2)).astype(np.float32)
    gradients = [tf.constant(generator.normal(size=(3, 2)) * 0.1, tf.float32) for _ in range(5)]
    ours, theirs = tf.Variable(start), keras.Variable(start)
    adam, reference = EncoderAdam(), keras.optimizers.Adam(0.01, epsilon=1e-7)
    adam.prepare({"head/kernel": (ours, 0)}, {})
    for gradient in gradients:
        adam.apply(
            {"head/kernel": (ours, 0)}, {"head/kernel": gradient},
            rates=np.array([0.01], np.float32), l1=0.0, l2=0.0, l2_sp=0.0,
        )  # fmt: skip
        reference.apply([gradient], [theirs])

    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-6)


def adam_in_numpy(weights, gradients, *, rate):
    """Kingma and Ba 2015, algorithm 1."""
    first = second = np.zeros_like(weights)
    for step, gradient in enumerate(gradients, start=1):
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        corrected = second / (1 - 0.999**step)
        weights = weights - rate * first / (1 - 0.9**step) / (np.sqrt(corrected) + 1e-7)
    return weights


def test_a_group_that_opens_later_begins_as_one_that_opened_first():
    generator = np.random.default_rng(0)
    start = generator.normal(size=(2, 3))
    gradients = 0.1 * generator.normal(size=(60, 2, 3))
    head, block = (tf.Variable(start, dtype=tf.float32) for _ in range(2))
    variables = {"head/logits/kernel": (head, 1), "block_0/output/kernel": (block, 0)}
    adam = EncoderAdam()
    adam.prepare(variables, {})
    for number, gradient in enumerate(gradients):
        names = list(variables)[: 2 if number >= 50 else 1]
        adam.apply(
            variables, {name: tf.constant(gradient, tf.float32) for name in names},
            rates=np.array([0.01, 0.01], np.float32), l1=0.0, l2=0.0, l2_sp=0.0,
        )  # fmt: skip

    np.testing.assert_allclose(head, adam_in_numpy(start, gradients, rate=0.01), atol=1e-5)
    np.testing.assert_allclose(block, adam_in_numpy(start, gradients[50:], rate=0.01), atol=1e-5)


def test_a_state_of_before_groups_counted_their_own_steps_is_taken(bert):
    wanted = settings(bert, frozen_depth=1)
    through, seen = Kept(), []
    run(wanted, checkpoint=through, reported=seen)
    state = through.saved[3]
    older = replace(state, arrays=dict(state.arrays) | {"adam/step": np.float32(2.0)})
    assert state.arrays["adam/step"].tolist() == [0.0, 2.0, 2.0, 2.0, 2.0]
    seen_again = []

    run(wanted, checkpoint=Kept(older), reported=seen_again)

    assert seen_again == seen[3:]


def test_probabilities_of_a_text_do_not_depend_on_its_company(bert):
    wanted = settings(bert, frozen_depth=1)
    outcome = run(wanted)
    data, program = data_of(wanted, None), program_of(wanted)
    cut = program.load(outcome.weights, data.texts)
    prefix = FrozenPrefix(data.texts, program.passes, None)

    together = predict_rows(program, prefix, np.array([5, 9, 5, 30]), cut=cut)
    alone = predict_rows(program, prefix, np.array([9]), cut=cut)

    assert np.array_equal(together[1], alone[0])
    assert np.array_equal(together[0], together[2])
    np.testing.assert_allclose(together.sum(axis=1), 1.0, atol=1e-6)


def test_weights_of_another_encoder_are_refused(bert):
    wanted = settings(bert)
    texts, program = data_of(wanted, None).texts, program_of(wanted)
    head = {"head/logits/bias": np.zeros(2, np.float32)}

    with pytest.raises(CheckpointError, match="'head/logits/kernel' is missing"):
        program.load(head, texts)
    with pytest.raises(CheckpointError, match="must have shape"):
        program.load(head | {"head/logits/kernel": np.zeros((1, 2), np.float32)}, texts)
    with pytest.raises(CheckpointError, match="'other' is no weight"):
        program.load({"other": np.zeros(1, np.float32)}, texts)


def test_numbers_that_are_not_finite_fail_the_trial(bert):
    wanted = settings(bert)
    data = data_of(wanted, None)
    broken = dict(data.texts.checkpoint.weights) | {
        "embedding/norm/scale": np.full(32, np.nan, np.float32)
    }
    checkpoint = replace(data.texts.checkpoint, read_weights=lambda: broken, digest="broken")
    texts = replace(data.texts, checkpoint=checkpoint)

    with pytest.raises(TrialFailed, match="diverged"):
        fit_encoder(
            wanted, replace(data, texts=texts), seeds=TrialSeeds(1, 2, 3),
            report=lambda **_: None, stop_requested=lambda: None,
        )  # fmt: skip


@pytest.mark.parametrize(
    "error", [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")]
)
def test_a_trial_that_runs_out_of_memory_fails_with_what_to_change(bert, monkeypatch, error):
    def exhausted(*_, **__):
        raise error

    wanted = settings(bert)
    monkeypatch.setattr(type(program_of(wanted)), "step", exhausted)

    with pytest.raises(
        TrialFailed,
        match=r"^out of memory: try training\.encoder_micro_batch_size=1, a smaller "
        r"features\.max_tokens, or a larger model\.frozen_depth$",
    ):
        run(wanted)


def test_batches_hold_every_row_once_and_like_lengths():
    lengths = np.random.default_rng(1).integers(1, 60, 203).astype(np.int32)

    batches = batches_of_like_length(lengths, batch_size=8, generator=np.random.default_rng(2))
    spread = np.mean([np.ptp(lengths[batch]) for batch in batches])

    assert sorted(np.concatenate(batches)) == list(range(203))
    assert max(map(len, batches)) <= 8
    assert spread < 10 < np.ptp(lengths)


def test_cosine_is_at_half_in_the_middle():
    def cosine(done):
        return rate_factor(done, step=0.01, warmup=0.0, schedule="cosine")

    assert cosine(0.5) == pytest.approx(0.5)
    assert cosine(0.25) == pytest.approx(0.853553, abs=1e-6)
    assert rate_factor(0.99, step=0.01, warmup=0.1, schedule="constant") == 1.0


def test_the_rate_rises_from_the_first_step_to_the_last_of_the_warm_up_and_falls_then():
    rates = [
        rate_factor(number / 10, step=0.1, warmup=0.5, schedule="linear") for number in range(10)
    ]

    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0, 0.8, 0.6, 0.4, 0.2])


def test_a_single_step_of_fine_tuning_moves_the_encoder(bert):
    once = settings(bert, training={"epochs": 1, "fine_tune_epochs": 1, "encoder_batch_size": 24})

    moved = weights_after_the_last_epoch(once)["weights/block_0/output/kernel"]

    before = open_checkpoint(once.model).weights["block_0/output/kernel"]
    assert np.abs(moved - before).max() == pytest.approx(1e-3, rel=0.01)  # its learning rate
