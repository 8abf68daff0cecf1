"""A new classifier against the one in production: promoted where its log loss on fresh rows is lower."""

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest

from objectives.classification.metrics import log_losses
from objectives.classification.reading import read_sequences
from objectives.classification.settings import SequenceSettings
from objectives.errors import InputError
from reports.bundle import Bundle, load_bundle
from reports.bundle.metadata import SequenceRows, TimeAxis
from search.bundles.registry import enter_bundle
from search.classification.challenge import challenge_classifier
from storage.database import open_storage
from storage.models import find_model, list_models, promote_model
from tests import text_classifiers as texts
from tests.bundles import METADATA
from tests.classifiers import COLUMNS, LABELS, expected_probabilities, write_classifier

OTHER = 4  # a version whose weights are nearly the opposite of the first one's


def moves(sequences: int = 300) -> pd.DataFrame:
    """Sequences of 2 to 8 rows, labelled by what version 1 of the model believes of them."""
    generator = np.random.default_rng(4)
    frames = []
    for number in range(sequences):
        values = generator.uniform(0, 10, (int(generator.integers(2, 9)), len(COLUMNS)))
        label = generator.choice(LABELS, p=expected_probabilities(values[-6:]))
        frame = pd.DataFrame(values, columns=list(COLUMNS))
        frames.append(frame.assign(id=number, time=range(len(values)), label=label))
    return pd.concat(frames, ignore_index=True)


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    moves().to_csv(tmp_path / "fresh.csv", index=False)
    return tmp_path / "fresh.csv"


@pytest.fixture
def bundles(tmp_path: Path) -> tuple[Bundle, Bundle]:
    """The model by whose beliefs the labels were drawn, and another one."""
    one, two = (load_bundle(write_classifier(tmp_path / f"v{v}", v)) for v in (1, OTHER))
    return one, two


def test_both_are_scored_by_log_loss_on_the_same_sequences(
    bundles: tuple[Bundle, Bundle], fresh: Path
) -> None:
    right, wrong = bundles
    found = challenge_classifier(right, wrong, str(fresh))
    assert (found.sequences, found.clusters) == (300, 300)
    groups = [group for _, group in moves().groupby("id")]
    truth = np.array([LABELS.index(group["label"].iloc[0]) for group in groups])
    for version, loss in ((1, found.challenger), (OTHER, found.champion)):
        values = [group[list(COLUMNS)].to_numpy()[-6:] for group in groups]
        beliefs = np.array([expected_probabilities(each, version) for each in values])
        assert loss == pytest.approx(log_losses(truth, beliefs).mean(), rel=1e-4)
    assert found.low < found.difference < found.high < 0
    assert found.better
    assert found.challenger_accuracy > found.champion_accuracy
    assert challenge_classifier(wrong, right, str(fresh)).doubt == "it is no better"
    assert not challenge_classifier(right, right, str(fresh)).better


def test_groups_are_what_is_drawn(bundles: tuple[Bundle, Bundle], tmp_path: Path) -> None:
    table = moves()
    table.assign(group=table["id"] % 4).to_csv(tmp_path / "few.csv", index=False)
    with pytest.raises(InputError, match="300 sequences in 4 independent groups are too few"):
        challenge_classifier(*bundles, str(tmp_path / "few.csv"))


def test_an_official_split_of_fresh_sequences_means_nothing(
    bundles: tuple[Bundle, Bundle], tmp_path: Path
) -> None:
    table = moves()
    split = np.where(table["id"] < 150, "train", "test")  # which divides each group
    table.assign(group=table["id"] % 30, split=split).to_csv(tmp_path / "both.csv", index=False)
    found = challenge_classifier(*bundles, str(tmp_path / "both.csv"))
    assert (found.sequences, found.clusters) == (300, 30)


def test_what_cannot_be_compared_is_told(
    bundles: tuple[Bundle, Bundle], fresh: Path, tmp_path: Path
) -> None:
    one, _ = bundles
    other = load_bundle(write_classifier(tmp_path / "other", labels=("a", "b", "c")))
    with pytest.raises(InputError, match="their labels differ"):
        challenge_classifier(one, other, str(fresh))
    with pytest.raises(InputError, match="the label 'sit' is none of the model's: a, b, c"):
        challenge_classifier(other, other, str(fresh))
    settings = SequenceSettings(task="classification", features=COLUMNS, path=str(fresh))
    known = read_sequences(settings).fingerprint
    provenance = replace(METADATA.provenance, data={"fingerprint": known})
    fitted = load_bundle(write_classifier(tmp_path / "fitted", provenance=provenance))
    with pytest.raises(InputError, match="was made from these very data"):
        challenge_classifier(one, fitted, str(fresh))


def test_texts_are_scored_too(tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    reviews = [" ".join(words) for words in generator.choice([*texts.WORDS, "a"], (300, 8))]
    beliefs = {version: texts.expected_probabilities(reviews, version) for version in (1, OTHER)}
    truth = (generator.uniform(size=300) < beliefs[1][:, 1]).astype(int)
    labels = np.array(texts.LABELS)[truth]
    pd.DataFrame({texts.COLUMN: reviews, "label": labels}).to_csv(
        tmp_path / "fresh.csv", index=False
    )
    right, wrong = (
        load_bundle(texts.write_text_classifier(tmp_path / f"v{version}", version))
        for version in (1, OTHER)
    )
    found = challenge_classifier(right, wrong, str(tmp_path / "fresh.csv"))
    assert (found.sequences, found.clusters) == (300, 300)
    for version, loss in ((1, found.challenger), (OTHER, found.champion)):
        assert loss == pytest.approx(log_losses(truth, beliefs[version]).mean(), rel=1e-4)
    assert found.better
    assert (
        challenge_classifier(wrong, right, str(tmp_path / "fresh.csv")).doubt == "it is no better"
    )


def of_sequences(folder: Path, suffix: str, table: pd.DataFrame) -> Path:
    """The sequences of a table like `moves` as a .ts or .npz file."""
    groups = [group for _, group in table.groupby("id")]
    labels = [group["label"].iloc[0] for group in groups]
    values = [group[list(COLUMNS)].to_numpy() for group in groups]
    path = folder / f"fresh{suffix}"
    if suffix == ".npz":
        longest = max(len(each) for each in values)
        x = np.full((len(values), longest, len(COLUMNS)), np.nan)
        for place, each in zip(x, values, strict=True):
            place[: len(each)] = each
        np.savez(path, x=x, y=np.array(labels))
        return path
    lines = [
        ":".join([*(",".join(map(repr, column)) for column in each.T.tolist()), label])
        for each, label in zip(values, labels, strict=True)
    ]
    path.write_text("\n".join([f"@classLabel true {' '.join(LABELS)}", "@data", *lines]) + "\n")
    return path


@pytest.mark.parametrize("suffix", [".ts", ".npz"])
def test_files_of_arrays_are_scored_as_tables_are(
    bundles: tuple[Bundle, Bundle], fresh: Path, tmp_path: Path, suffix: str
) -> None:
    expected = challenge_classifier(*bundles, str(fresh))
    assert challenge_classifier(*bundles, str(of_sequences(tmp_path, suffix, moves()))) == expected


@pytest.mark.parametrize("suffix", [".ts", ".npz"])
def test_holes_in_files_of_arrays_are_filled_as_in_training(
    bundles: tuple[Bundle, Bundle], tmp_path: Path, suffix: str
) -> None:
    table = moves()
    table.loc[table["time"] == 1, "x"] = np.nan
    table.to_csv(tmp_path / "holes.csv", index=False)
    expected = challenge_classifier(*bundles, str(tmp_path / "holes.csv"))
    assert challenge_classifier(*bundles, str(of_sequences(tmp_path, suffix, table))) == expected


def stream(rows: int) -> pd.DataFrame:
    """Rows of which each is labelled by what version 1 of the model believes of the last six."""
    generator = np.random.default_rng(6)
    values = generator.uniform(0, 10, (rows, len(COLUMNS)))
    beliefs = [expected_probabilities(values[max(0, row - 5) : row + 1]) for row in range(rows)]
    labels = [generator.choice(LABELS, p=each) for each in beliefs]
    return pd.DataFrame(values, columns=list(COLUMNS)).assign(label=labels)


def test_windows_of_a_stream_are_scored_in_blocks(tmp_path: Path) -> None:
    rows, length, stride = stream(2004), 6, 2
    layout = SequenceRows("id", "label", "group", length, stride)
    changes = {"sequences": layout, "time": TimeAxis(None, None, None, None)}
    right, wrong = (
        load_bundle(write_classifier(tmp_path / f"v{version}", version, **changes))
        for version in (1, OTHER)
    )
    parts = np.where(rows.index < 777, "train", "test")
    rows.assign(split=parts).to_csv(tmp_path / "fresh.csv", index=False)
    found = challenge_classifier(right, wrong, str(tmp_path / "fresh.csv"))
    assert found.sequences == 1000
    assert found.clusters < 1000 / 2  # neighbours share rows: they are drawn together
    values, ends = rows[list(COLUMNS)].to_numpy(), range(length, 2005, stride)
    truth = np.array([LABELS.index(label) for label in rows["label"][length - 1 :: stride]])
    for version, loss in ((1, found.challenger), (OTHER, found.champion)):
        beliefs = [expected_probabilities(values[end - length : end], version) for end in ends]
        assert loss == pytest.approx(log_losses(truth, np.array(beliefs)).mean(), rel=1e-4)
    assert found.better
    assert not challenge_classifier(wrong, right, str(tmp_path / "fresh.csv")).better


def test_only_a_better_classifier_is_promoted(
    command: list[str], bundles: tuple[Bundle, Bundle], fresh: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/studies.db"
    storage = open_storage(url)
    optuna.create_study(study_name="power", storage=storage)
    right, wrong = bundles
    for each in (wrong, right):
        enter_bundle(storage, each.path, tmp_path / "runs")
    promote_model(storage, find_model(storage, "power", 1), None)

    def run(*arguments: object, code: int = 0) -> str:
        line = [*command, *map(str, arguments), "--storage", url]
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == code, done.stderr
        return done.stdout

    said = run("promote", "power", 2, "--if-better", fresh)
    assert "log loss over 300 sequences:" in said
    assert "model 2 of study power is in production; model 1 is retired" in said
    assert "in production already" in run("promote", "power", 2, "--if-better", fresh)
    run("promote", "power", 2, "--if-better", tmp_path / "absent.csv", code=1)
    said = run("promote", "power", 1, "--if-better", fresh, code=1)
    assert "not promoted, since it is no better" in said
    run("retire", "power", 2)
    assert [model.stage for model in list_models(storage, "power")] == ["retired", "retired"]
    storage.engine.dispose()
