"""Texts: how they are read and cut into words, what a network knows of them, and what is deployed."""

from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from objectives.classification.learner import SequenceLearner
from objectives.classification.messages import TextHyperparameters, TextTask
from objectives.classification.reading import read_sequences, sequences_from_frame
from objectives.classification.sequences import SequenceFold, SequenceSplit
from objectives.classification.settings import SequenceSettings, SequenceTraining
from objectives.classification.space import TextSpace
from objectives.classification.vocabulary import joined_texts, words_of
from objectives.errors import InputError
from objectives.trials.messages import Member, RefitRequest, TrialRequest
from objectives.trials.trial import refit, run_trial
from tests.reviews import reviews

pytestmark = pytest.mark.usefixtures("one_thread")

AWKWARD = [
    "",
    "   ",
    "good BAD Not",
    "  the\tfood\nwas \r\n  GOOD\x0b\x0c",
    "unheard words, good.",
    "Été ÄRGER straße İstanbul 日本 😀 good",
    "no\u00a0break and\u2003wide\u2028lines\x1cgood",
    "good " * 40 + "not bad",
]
SMALL = TextHyperparameters(
    timesteps=6,
    units=(4,),
    dropout=0.1,
    batch_size=16,
    learning_rate=0.02,
    recurrent_dropout=0.0,
    l2=0.0,
    optimizer="adam",
    bidirectional=True,
    skip="linear",
    noise=0.1,
    mixup=0.0,
    scaling="none",
    embedding_dim=3,
)


def settings(**changes):
    named = {"task": "classification", "text": "review", "label": "food", **changes}
    return SequenceSettings.model_validate(named)


def words_and_labels(sequences):
    texts = joined_texts(sequences.values, sequences.ends, sequences.lengths, sequences.words)
    return texts, [sequences.classes[label] for label in sequences.labels]


def test_a_row_is_a_text_and_its_words_are_the_sequence():
    frame = pd.DataFrame({"review": ["Not  GOOD", "bad\tÉTÉ bad"], "food": [0, 1], "other": [1, 2]})
    sequences = sequences_from_frame(frame, settings())
    assert words_and_labels(sequences) == (["not good", "bad ÉtÉ bad"], ["0", "1"])
    assert sequences.lengths.tolist() == [2, 3]
    assert sequences.words == ("bad", "good", "not", "ÉtÉ")


def test_words_of_the_test_file_keep_their_meaning(tmp_path):
    frame = pd.DataFrame({"review": ["c a", "a", "b d"], "food": ["x", "y", "x"]})
    for name, rows in (("train", frame[:2]), ("test", frame[2:])):
        rows.to_csv(tmp_path / f"{name}.csv", index=False)
    paths = {name: str(tmp_path / f"{file}.csv") for name, file in PATHS.items()}
    sequences = read_sequences(settings(**paths))
    assert words_and_labels(sequences) == (["c a", "a", "b d"], ["x", "y", "x"])
    assert sequences.official_test.tolist() == [False, False, True]


PATHS = {"path": "train", "test_path": "test"}
FRAME = pd.DataFrame({"review": ["good", "bad"], "food": [0, 1]})


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (FRAME.rename(columns={"review": "said"}), r"no column 'review': name the text column"),
        (FRAME.assign(review=["good", " \n"]), r"column 'review', row 1: the text has no words"),
        (FRAME.assign(review=["good", None]), r"column 'review', row 1: the text has no words"),
        (
            FRAME.assign(review=pd.Categorical(["good", None])),
            r"column 'review', row 1: the text has no words",
        ),
        (FRAME.assign(food=[0, None]), r"column 'food', row 1: the label is missing"),
        (FRAME.assign(split=["train", "dev"]), r"'split', row 1: expected train or test"),
    ],
)
def test_bad_texts_are_told_in_one_line(frame, message):
    with pytest.raises(InputError, match=message) as error:
        sequences_from_frame(frame, settings())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": ("length",)}, "text is the only input, a row for each text: leave features"),
        ({"timesteps": 5}, "leave timesteps out"),
        ({"fill": "forward"}, "leave fill out"),
        ({"text": None, "vocabulary": 9}, "vocabulary goes with text"),
        ({"vocabulary": 0}, "greater than or equal to 1"),
    ],
)
def test_settings_that_do_not_go_with_text_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        settings(**changes)


def test_files_of_sequences_hold_no_texts(tmp_path):
    (tmp_path / "a.ts").write_text("@data\n1,2:0\n")
    with pytest.raises(InputError, match=r"a\.ts: holds no texts"):
        read_sequences(settings(path=str(tmp_path / "a.ts")))


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """A task of 90 texts, 20 of them the test; "rare" stands in one text of each part."""
    frame = reviews(600)[:90]
    frame["review"] = [
        f"{text} rare{'abc'[number // 35]}" if number % 35 == 0 else text
        for number, text in enumerate(frame["review"])
    ]
    sequences = sequences_from_frame(frame.drop(columns="split"), settings())
    path = tmp_path_factory.mktemp("texts") / "rows.npy"
    np.save(path, sequences.values)
    folds = (
        SequenceFold(np.arange(35, 70), np.arange(35)),
        SequenceFold(np.arange(35), np.arange(35, 70)),
    )
    return TextTask(
        rows=path,
        ends=sequences.ends,
        lengths=sequences.lengths,
        labels=sequences.labels,
        names=sequences.classes,
        split=SequenceSplit(folds, np.arange(70, 90)),
        training=SequenceTraining(epochs=3, schedule="constant"),
        words=sequences.words,
        vocabulary=100,
    )


def texts_of(task, numbers):
    rows = task.load_rows()
    return joined_texts(rows, task.ends[numbers], task.lengths[numbers], task.words)


def test_only_training_texts_make_the_vocabulary(task):
    learner = SequenceLearner(task, SMALL)
    for loaded, known in (
        (learner.load_fold(1), {"rareb"}),
        (learner.load_fold(2), {"rarea"}),
        (learner.load_everything(), {"rarea", "rareb"}),
    ):
        words = loaded.fitted.words
        assert {word for word in words if word.startswith("rare")} == known
        training = texts_of(task, loaded.examples.training)
        counts = pd.Series(" ".join(training).split()).value_counts()
        assert set(words) == set(counts.index)
        assert counts[list(words)].is_monotonic_decreasing
    few = SequenceLearner(replace(task, vocabulary=5), SMALL).load_everything().fitted
    assert few.words == words[:5]
    assert few.size == 7
    assert sorted(set(few.ids.tolist())) == [1, 2, 3, 4, 5, 6]


@pytest.fixture(scope="module")
def trained(task, tmp_path_factory):
    """A trial's outcome, and the models of its refit with two members."""
    outcome = run_trial(TrialRequest(task, SMALL, 3), lambda _: True)
    folder = tmp_path_factory.mktemp("refitted")
    members = (Member(SMALL, 3, ((0.02, 6),)), Member(SMALL, 4, ((0.02, 6),)))
    refit(RefitRequest(task, outcome.weights, folder, members))
    return outcome, folder


def load(path):
    return keras.saving.load_model(path, compile=False, safe_mode=True)


def test_the_deployed_model_gives_texts_the_probabilities_of_the_trial(task, trained):
    outcome, folder = trained
    fold = SequenceLearner(task, SMALL).load_fold(2)
    trainer = fold.trainer(0)
    trainer.network.set_weights(outcome.weights)
    numbers = task.split.folds[-1].validation
    logits = trainer.outputs(numbers)
    model = load(folder / "model_train_only.keras")
    found = model(tf.constant(texts_of(task, numbers)))["probabilities"]
    np.testing.assert_allclose(found, tf.nn.softmax(logits), atol=2e-6)
    assert [each.name for each in model.inputs] == ["text"]


def test_ids_are_those_of_our_own_cutting_in_awkward_texts_too(trained):
    model = load(trained[1] / "model.keras")
    known = model.get_layer("words").get_vocabulary()
    ids = model.get_layer("words")(tf.constant(AWKWARD)).numpy()
    for text, found in zip(AWKWARD, ids, strict=True):
        words = words_of(text)
        assert found[: len(words)].tolist() == [
            known.index(word) if word in known else 1 for word in words
        ]
        assert not found[len(words) :].any()


def test_the_last_words_count_and_companions_do_not(trained):
    model = load(trained[1] / "model.keras")

    def probabilities(texts):
        return model(tf.constant(texts))["probabilities"].numpy()

    together = probabilities(AWKWARD)
    alone = np.concatenate([probabilities([text]) for text in AWKWARD])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert np.isfinite(together).all()
    last = probabilities(
        ["was by we the food was not bad", "the food was not bad", "we " + "x " * 6]
    )
    np.testing.assert_allclose(last[0], probabilities(["we the food was not bad"])[0], atol=1e-6)
    assert abs(last[0] - last[1]).max() > 1e-4
    np.testing.assert_allclose(last[2], probabilities(["x " * 6])[0], atol=1e-6)


def test_embedding_dim_is_drawn_and_scaling_is_not():
    space = TextSpace()
    assert space.distributions()["embedding_dim"].choices == (16, 32, 64, 128)
    assert space.fixed()["scaling"] == "none"
    assert space.for_longest(30).timesteps == 30
