"""A trial of classification: what it is judged on, what it may see, and the model it leaves."""

from dataclasses import replace

import numpy as np
import pytest

from objectives.classification.learner import SequenceLearner
from objectives.classification.messages import PADDING, Ending, ProbabilitiesRequest
from objectives.classification.predicting import probabilities
from objectives.classification.split import split_hash
from objectives.classification.windows import padded_windows
from objectives.objective import mean_path
from objectives.trials import trial
from objectives.trials.messages import Checkpointing, Member, RefitRequest, TrialRequest
from objectives.trials.seeds import member_seeds
from objectives.trials.training import replay
from objectives.trials.trial_process import run_in_process

pytestmark = pytest.mark.usefixtures("one_thread")

SEED = 7


def go_on(_) -> bool:
    return True


def with_rows(task, change, path):
    """The task on a copy of its rows that `change` has been at."""
    rows = np.array(task.load_rows())
    change(rows)
    np.save(path, rows)
    return replace(task, rows=path)


def assert_same_trial(ours, theirs):
    for our, their in zip(ours.folds, theirs.folds, strict=True):
        assert our == their
        if our.outputs is not None:  # gone where a fold was taken over from a checkpoint
            np.testing.assert_array_equal(our.outputs, their.outputs)
    for our, their in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_array_equal(our, their)


@pytest.fixture(scope="module")
def task(make_sequence_task):
    return make_sequence_task(classes=3, padded=True, epochs=15, patience=15)


@pytest.fixture(scope="module")
def request_(task, sequence_hyperparameters):
    wanted = sequence_hyperparameters(bidirectional=True, noise=0.1, mixup=0.2, dropout=0.1)
    return TrialRequest(task, wanted, SEED)


@pytest.fixture(scope="module")
def outcome(request_):
    return trial.run_trial(request_, go_on)


def test_a_trial_learns_and_has_an_outcome_for_each_fold(task, outcome):
    assert [len(fold.epochs) for fold in outcome.folds] == [15, 15]
    assert outcome.value("accuracy") > 0.8
    assert outcome.value("log_loss") == pytest.approx(
        np.mean([min(e.metrics["log_loss"] for e in fold.epochs) for fold in outcome.folds])
    )
    assert outcome.target_hash == split_hash(task.split)


def test_each_fold_leaves_the_logits_of_its_validation_sequences(task, outcome):
    for fold, judged in zip(task.split.folds, outcome.folds, strict=True):
        shares = softmax(judged.outputs)
        labels = task.labels[fold.validation]
        log_loss = -np.log(shares[np.arange(len(labels)), labels]).mean()
        assert log_loss == pytest.approx(judged.value("log_loss"), rel=1e-5)


def test_a_seed_is_a_trial(request_, outcome):
    assert_same_trial(run_in_process(request_, go_on), outcome)
    other = trial.run_trial(replace(request_, seed=SEED + 1), go_on)
    assert other.folds[-1].epochs[0].loss != outcome.folds[-1].epochs[0].loss


def test_validation_and_test_rows_reach_no_weight(task, request_, outcome, tmp_path):
    last, test = task.split.folds[-1], task.split.test

    def spoil(rows):
        for number in (*last.validation, *test):
            end = task.ends[number]
            rows[end - task.lengths[number] : end] *= 3

    only_last = replace(task.split, folds=(last,))
    alone = replace(request_, task=replace(task, split=only_last))
    spoilt = replace(alone, task=with_rows(alone.task, spoil, tmp_path / "rows.npy"))
    before, after = (trial.run_trial(request, go_on) for request in (alone, spoilt))
    assert [e.loss for e in before.epochs] == [e.loss for e in after.epochs]
    assert before.epochs[0].metrics != after.epochs[0].metrics
    assert [e.loss for e in before.epochs] == [e.loss for e in outcome.epochs]


def test_a_trial_goes_on_from_its_checkpoint(request_, outcome, tmp_path):
    asked = Checkpointing(tmp_path / "checkpoint.npz", 0.0)

    class KilledError(Exception):
        pass

    def killed(epoch):
        if (epoch.fold, epoch.number) == (2, 6):
            raise KilledError
        return True

    with pytest.raises(KilledError):
        trial.run_trial(replace(request_, checkpoint=asked), killed)
    resumed = trial.run_trial(replace(request_, checkpoint=asked), go_on)
    assert resumed.resumed_from == 15 + 5
    assert_same_trial(resumed, outcome)
    other = replace(request_, checkpoint=asked, seed=SEED + 1)
    assert trial.run_trial(other, lambda _: False).resumed_from == 0


# ------------------------------------------------------------------------------------------ refit


@pytest.fixture(scope="module")
def refitted(request_, outcome, tmp_path_factory):
    folder = tmp_path_factory.mktemp("refit")
    path = ((0.02, 3), (0.01, 4))
    wanted = request_.hyperparameters
    members = tuple(Member(wanted, seed, path) for seed in member_seeds(SEED, 2))
    request = RefitRequest(request_.task, outcome.weights, folder, members)
    trial.refit(request)
    return request


def ask(refitted, name, numbers, calibrated=True):
    task = refitted.task
    ends, lengths = task.ends[numbers], task.lengths[numbers]
    request = ProbabilitiesRequest(
        refitted.directory / name, task.rows, ends, lengths, calibrated=calibrated
    )
    return probabilities(request).probabilities


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def test_the_train_only_model_is_the_winner_as_it_was_judged(refitted, outcome):
    validation = refitted.task.split.folds[-1].validation
    found = ask(refitted, "model_train_only.keras", validation)
    labels = refitted.task.labels[validation]
    log_loss = -np.log(found[np.arange(len(labels)), labels]).mean()
    assert log_loss == pytest.approx(outcome.folds[-1].value("log_loss"), rel=1e-4)


def test_the_refit_replays_the_path_on_all_but_the_test(refitted):
    task = refitted.task
    learner = SequenceLearner(task, refitted.members[0].hyperparameters)
    everything = learner.load_everything()
    np.testing.assert_array_equal(everything.examples.training, np.arange(70))
    rows = task.load_rows()[: task.ends[69]]
    np.testing.assert_allclose(everything.fitted.center, rows.mean(axis=0))
    found = []
    for seed in member_seeds(SEED, 2):
        trainer = everything.trainer(seed)
        replay(trainer, everything.examples.training, refitted.members[0].path)
        found.append(softmax(trainer.outputs(task.split.test)))
    expected = np.mean(found, axis=0)
    np.testing.assert_allclose(ask(refitted, "model.keras", task.split.test), expected, atol=1e-5)


def test_a_temperature_is_inside_the_models_and_can_be_left_out(refitted, outcome, tmp_path):
    test = refitted.task.split.test
    hot = replace(
        refitted,
        directory=tmp_path,
        endings=(Ending(4.0), Ending(4.0)),
        members=refitted.members[:1],
    )
    trial.refit(hot)
    plain = ask(hot, "model.keras", test, calibrated=False)
    logits = np.log(plain)
    np.testing.assert_allclose(ask(hot, "model.keras", test), softmax(logits / 4), atol=1e-5)
    assert np.abs(ask(hot, "model.keras", test) - plain).max() > 0.01
    one_member = replace(refitted, directory=tmp_path, members=refitted.members[:1])
    trial.refit(one_member)
    np.testing.assert_allclose(plain, ask(one_member, "model.keras", test), atol=1e-6)


def test_probabilities_come_from_a_process_too(refitted):
    task, numbers = refitted.task, refitted.task.split.test
    request = ProbabilitiesRequest(
        refitted.directory / "model.keras", task.rows, task.ends[numbers], task.lengths[numbers]
    )
    found = run_in_process(request, go_on).probabilities
    np.testing.assert_allclose(found, ask(refitted, "model.keras", numbers), atol=1e-6)
    assert found.shape == (20, 3)


def test_windows_are_the_last_rows_and_padding_before_the_first():
    rows = np.arange(12.0).reshape(6, 2)
    found = padded_windows(rows, np.array([2, 6]), np.array([2, 4]), 3)
    expected = [[[PADDING, PADDING], [0, 1], [2, 3]], [[6, 7], [8, 9], [10, 11]]]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("bests", "rates"),
    [([1, 2, 3], (0.1, 0.1)), ([2, 3, 4], (0.1, 0.1, 0.05)), ([9], (0.1, 0.1, 0.05, 0.05, 0.05))],
)
def test_a_refit_takes_as_many_epochs_as_the_folds_took_in_the_mean(bests, rates):
    attributes = {
        "fold_best_epochs": [*bests, 1] if bests == [9] else bests,
        "best_epoch": 3,
        "updates_per_epoch": 7,
        "curves": {"learning_rate": [0.1, 0.1, 0.05]},
    }
    assert mean_path(attributes) == tuple((rate, 7) for rate in rates)
