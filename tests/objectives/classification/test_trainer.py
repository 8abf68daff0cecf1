"""What a trainer of classes minimises, and what it reports."""

import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import balanced_accuracy_score, log_loss

from objectives.classification.calibration import fit_temperature
from objectives.classification.learner import SequenceLearner
from objectives.classification.trainer import SequenceTrainer
from objectives.lstm import fast_lstm
from objectives.trials import graph_trainer
from objectives.trials.messages import DivergedError
from objectives.trials.training import replay
from tests.objectives.classification.conftest import FEATURES, LONGEST

pytestmark = pytest.mark.usefixtures("one_thread")

STILL = 1e-30  # a learning rate that moves no float32 weight


@pytest.fixture
def make_trainer(make_sequence_task, sequence_hyperparameters):
    def make(changes=None, **task):
        learner = SequenceLearner(
            make_sequence_task(**task), sequence_hyperparameters(**(changes or {}))
        )
        fold = learner.load_fold(1)
        return learner.task, fold.examples, fold.trainer(3)

    return make


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("padded", [False, True])
def test_figures_are_those_of_the_logits(make_trainer, monkeypatch, classes, padded):
    monkeypatch.setattr(graph_trainer, "_EVALUATION_CELLS", 1)  # one sequence at a time
    task, examples, trainer = make_trainer({"l2": 0.1}, classes=classes, padded=padded)
    numbers = examples.validation[2:]  # classes of unequal shares
    found, labels = softmax(trainer.outputs(numbers)), task.labels[numbers]
    metrics = trainer.validate(numbers)
    assert metrics["log_loss"] == pytest.approx(log_loss(labels, found), rel=1e-5)
    logits = trainer.outputs(numbers)
    best = softmax(logits / fit_temperature(logits[None], labels))
    assert metrics["calibrated_log_loss"] == pytest.approx(log_loss(labels, best), rel=1e-5)
    assert metrics["calibrated_log_loss"] < metrics["log_loss"]
    assert metrics["accuracy"] == pytest.approx(np.mean(found.argmax(axis=1) == labels))
    assert metrics["error_rate"] == pytest.approx(1 - metrics["accuracy"])
    balanced = balanced_accuracy_score(labels, found.argmax(axis=1))
    assert metrics["balanced_error_rate"] == pytest.approx(1 - balanced)


def test_the_training_loss_is_cross_entropy_with_smoothing_and_class_weights(make_trainer):
    task, examples, trainer = make_trainer(
        classes=3, padded=True, class_weights="balanced", label_smoothing=0.3
    )
    plain = make_trainer(classes=3, padded=True)[2]
    numbers = examples.training
    found, labels = softmax(trainer.outputs(numbers)), task.labels[numbers]
    wanted = 0.7 * np.eye(3)[labels] + 0.1
    weights = len(labels) / (3 * np.bincount(labels))
    expected = (-(wanted * np.log(found)).sum(axis=1) * weights[labels]).mean()
    assert trainer.update(numbers, 0, 3, STILL) == pytest.approx(expected, rel=1e-4)
    assert plain.update(numbers, 0, 3, STILL) == pytest.approx(log_loss(labels, found), rel=1e-4)


@pytest.mark.parametrize("padded", [False, True])
def test_mixup_trains_on_mixtures_of_sequences_and_of_their_labels(
    make_sequence_task, sequence_hyperparameters, monkeypatch, padded
):
    own, others = 0.75, 0.25
    monkeypatch.setattr(SequenceTrainer, "_random_shares", lambda *_: np.full(2, own, np.float32))
    task = make_sequence_task(classes=3, padded=padded, class_weights="balanced")
    wanted = sequence_hyperparameters(mixup=0.2, batch_size=2)
    fold = SequenceLearner(task, wanted).load_fold(1)
    trainer, scaled = fold.trainer(3), fold.fitted.apply(task.load_rows())
    pair = fold.examples.training[1:3]
    ends, lengths, labels = task.ends[pair], task.lengths[pair], task.labels[pair]
    windows = np.zeros((2, LONGEST, FEATURES), np.float32)
    for window, end, length in zip(windows, ends, lengths, strict=True):
        window[LONGEST - length :] = scaled[end - length : end]
    present = np.tile(np.arange(LONGEST) >= LONGEST - lengths.max(), (2, 1))
    mixed = own * windows + others * windows[::-1]
    found = softmax(trainer.network([mixed, present] if padded else mixed).numpy())
    weights = len(fold.examples.training) / (3 * np.bincount(task.labels[fold.examples.training]))
    losses = -weights[labels] * np.log(found[:, labels])  # of each mixture, of each label
    assert labels[0] != labels[1]
    expected = (own * np.diag(losses) + others * np.diag(losses[:, ::-1])).mean()
    assert trainer.update(pair, 0, 1, STILL) == pytest.approx(expected, rel=1e-4)


def test_shares_in_mixtures_are_beta_distributed_and_a_half_at_least(make_trainer):
    trainer = make_trainer({"mixup": 0.2})[2]
    shares = trainer._random_shares(np.arange(2000)).numpy()
    assert shares.min() >= 0.5
    distribution = scipy.stats.beta(0.2, 0.2)

    def expected(share):
        return distribution.cdf(share) - distribution.cdf(1 - share)

    assert scipy.stats.kstest(shares, expected).pvalue > 0.01


def test_mixtures_are_drawn_anew_each_time_and_again_from_the_same_seed(
    make_sequence_task, sequence_hyperparameters
):
    learner = SequenceLearner(make_sequence_task(), sequence_hyperparameters(mixup=0.2))
    fold = learner.load_fold(1)

    def losses(seed, weights):
        trainer = fold.trainer(seed)
        trainer.network.set_weights(weights)
        return [trainer.update(fold.examples.training, 0, 3, STILL) for _ in range(2)]

    weights = fold.trainer(1).network.get_weights()
    first, again, other = (losses(seed, weights) for seed in (1, 1, 2))
    assert first == again
    assert len({*first, *other}) == 4


def test_batches_hold_sequences_of_similar_length_and_an_epoch_each_of_them_once(make_trainer):
    task, _, trainer = make_trainer({"batch_size": 4}, padded=True)
    examples = np.arange(70)
    order = trainer.shuffled(examples)
    assert sorted(order) == list(examples)
    batches = task.lengths[order[:68]].reshape(17, 4)
    spread = np.ptp(batches, axis=1).mean()
    alone = np.ptp(task.lengths[examples[:68]].reshape(17, 4), axis=1).mean()
    assert spread < 0.5 * alone
    longest = batches.max(axis=1)
    assert (np.diff(longest) < 0).any(), "short batches do not all come first"
    assert (np.diff(longest) > 0).any()
    again = make_trainer({"batch_size": 4}, padded=True)[2]
    np.testing.assert_array_equal(again.shuffled(examples), order)
    assert set(trainer.shuffled(examples)[:4]) != set(order[:4]), "others meet in the next epoch"


def test_sequences_of_equal_length_are_shuffled_as_ever(make_trainer):
    trainer = make_trainer({"batch_size": 4})[2]
    expected = np.random.default_rng(3).permutation(np.arange(70))
    np.testing.assert_array_equal(trainer.shuffled(np.arange(70)), expected)


@pytest.mark.parametrize("units", [(4, 4), (16, 16)])  # by the fused kernel, by our own code
def test_an_epoch_comes_to_the_same_however_far_its_batches_are_padded(
    make_trainer, monkeypatch, units
):
    weights = []
    for skipped in (fast_lstm.padding_of_all, lambda present: 0):
        monkeypatch.setattr(fast_lstm, "padding_of_all", skipped)
        _, examples, trainer = make_trainer(
            {"batch_size": 4, "bidirectional": True, "units": units}, padded=True
        )
        order = trainer.shuffled(examples.training)
        trainer.update(order, 0, trainer.updates_an_epoch(len(order)), 0.01)
        weights.append(trainer.network.get_weights())
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_overlapping_sequences_count_their_rows_once_in_the_scaling(
    make_sequence_task, sequence_hyperparameters
):
    task = make_sequence_task()
    task.lengths[:35] = np.minimum(task.ends[:35], 12)  # each reaches into the one before
    for number, rows in ((1, slice(35 * 9, 70 * 9)), (2, slice(0, 35 * 9))):
        learner = SequenceLearner(task, sequence_hyperparameters())
        scaling = learner.load_fold(number).fitted
        np.testing.assert_allclose(scaling.center, task.load_rows()[rows].mean(axis=0))


def test_a_log_loss_that_is_not_finite_is_told_as_divergence(make_trainer):
    _, examples, trainer = make_trainer()
    trainer.network.set_weights([np.nan * weight for weight in trainer.network.get_weights()])
    with pytest.raises(DivergedError, match="log loss became nan"):
        trainer.validate(examples.validation)


def test_an_epoch_of_few_sequences_passes_through_them_until_it_has_made_its_updates(make_trainer):
    _, examples, trainer = make_trainer({"batch_size": 8}, least_updates=11)
    order = trainer.shuffled(examples.training)  # 35 sequences, 5 updates a pass
    assert (trainer.passes_an_epoch(35), len(order), trainer.updates_an_epoch(35)) == (3, 105, 14)
    for one in np.split(order, 3):
        np.testing.assert_array_equal(np.sort(one), examples.training)
    assert trainer.passes_an_epoch(88) == 1
    assert trainer.updates_an_epoch(89) == 12


def test_a_replay_counts_passes_not_epochs(make_trainer):
    _, examples, trainer = make_trainer({"batch_size": 8}, least_updates=11)
    passes = replay(trainer, examples.training, ((STILL, 14), (STILL, 7))).passes
    assert passes == pytest.approx(4.5)
