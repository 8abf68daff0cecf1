"""`lstm-search models`, `register`, `promote` and `retire`: the registry of exported bundles."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from reports.bundle import Bundle
from search.bundles.registry import enter_bundle, open_registered
from search.commands.opening import open_existing, results_folder
from search.commands.terminal import make_table, open_console
from storage.models import (
    RegisteredModel,
    find_model,
    list_models,
    production_model,
    promote_model,
    retire_model,
)

if TYPE_CHECKING:
    from search.bundles.challenge import Contest


def show(name: str | None, storage: str | None, out: Path | None, *, as_json: bool) -> int:
    """Print a line for each registered bundle."""
    models = list_models(open_existing(storage, out), name)
    if as_json:
        print(json.dumps([_plain(model) for model in models], indent=2))
        return 0
    whole = ("version", "stage", "test")
    table = make_table("study", "version", "stage", "since", "test", "bundle", whole=whole)
    for model in models:
        since = f"{model.changed:%Y-%m-%d %H:%M}"
        table.add_row(
            model.study, str(model.version), model.stage, since, _score(model), str(model.path)
        )
    open_console().print(table if models else "no models yet")
    return 0


def _score(model: RegisteredModel) -> str:
    """The test score by which models of its kind are chosen, by name."""
    scores = model.facts.get("test", {})
    name = next((name for name in ("mse", "log_loss") if scores.get(name) is not None), None)
    return "-" if name is None else f"{name} {scores[name]:.5g}"


def register(bundle: Path, storage: str | None, out: Path | None) -> int:
    """Enter a bundle as a candidate."""
    model = enter_bundle(open_existing(storage, out), bundle, results_folder(out))
    stage = {"candidate": "a candidate", "production": "in production"}.get(
        model.stage, model.stage
    )
    print(f"model {model.version} of study {model.study} is {stage}: {model.path}")
    return 0


def promote(
    name: str, version: int | None, if_better: str | None, storage: str | None, out: Path | None
) -> int:
    """Put a bundle into production, after a look at its files.

    With `if_better`, a file of fresh rows, only where it forecasts them better than the one that is in
    production; else the exit code is 1. The file is read also where there is nothing to compare with.

    Raises:
        InputError: the bundle was exchanged, or the file cannot be read, or not be used to compare.
        reports.bundle.BundleError: the bundle is gone, broken or changed, or the file does not fit it.
        storage.errors.StorageError: there is no such model, or another is in production by now.
    """
    database = open_existing(storage, out)
    model, current = find_model(database, name, version), production_model(database, name)
    bundle = open_registered(model)
    in_production = current is not None and current.version == model.version
    if if_better is not None and (current is None or in_production):
        _check_readable(bundle, if_better)
    if in_production:
        print(f"model {model.version} of study {name} is in production already: {model.path}")
        return 0
    retired = ""
    if current is not None:
        retired = f"; model {current.version} is retired"
        if if_better is not None and not _wins(model, bundle, current, if_better):
            return 1
    elif if_better is not None:
        print(f"no model of study {name} is in production to compare with")
    promote_model(database, model, current)
    print(f"model {model.version} of study {name} is in production{retired}: {model.path}")
    return 0


def _check_readable(bundle: Bundle, data: str) -> None:
    """Read fresh rows or sequences as a comparison would."""
    from search.bundles.fresh_rows import read_rows, series_of  # noqa: PLC0415  (imports pandas)
    from search.bundles.fresh_sequences import fresh_sequences  # noqa: PLC0415

    if bundle.metadata.task == "classification":
        fresh_sequences(data, bundle.metadata, rolling=False)
    else:
        series_of(read_rows(data), bundle.metadata)


def _wins(model: RegisteredModel, bundle: Bundle, current: RegisteredModel, data: str) -> bool:
    """Tell how a model does beside the current one, and whether it is better."""
    judge = _judge_classes if bundle.metadata.task == "classification" else _judge_forecasts
    found, loss, how = judge(bundle, open_registered(current), data)
    print(
        f"{loss}:\n"
        f"  model {model.version:<4} {found.challenger:.5g}\n"
        f"  model {current.version:<4} {found.champion:.5g}, in production\n"
        f"difference {found.difference:.3g}, 95 % interval {found.low:.3g} to {found.high:.3g} {how}"
    )
    if not found.better:
        kept = f"model {current.version} of study {model.study} stays in production"
        print(f"not promoted, since {found.doubt}: {kept}")
    return found.better


def _judge_forecasts(bundle: Bundle, current: Bundle, data: str) -> "tuple[Contest, str, str]":
    from search.bundles.challenge import challenge  # noqa: PLC0415  (imports pandas, scipy and others)
    from search.bundles.fresh_rows import read_rows  # noqa: PLC0415

    found = challenge(bundle, current, read_rows(data))
    loss = f"mean squared error over {found.windows} windows, in units of training deviations"
    return found, loss, f"(blocks of {found.block}), Diebold–Mariano p = {found.p:.2g}"


def _judge_classes(bundle: Bundle, current: Bundle, data: str) -> "tuple[Contest, str, str]":
    from search.classification.challenge import challenge_classifier  # noqa: PLC0415  (the same)

    found = challenge_classifier(bundle, current, data)
    loss = f"log loss over {found.sequences} sequences"
    how = (
        f"({found.clusters} independent clusters); accuracy {found.challenger_accuracy:.3f} and "
        f"{found.champion_accuracy:.3f}, McNemar p = {found.p:.2g}"
    )
    return found, loss, how


def retire(name: str, version: int, storage: str | None, out: Path | None) -> int:
    """Retire a bundle."""
    database = open_existing(storage, out)
    retire_model(database, find_model(database, name, version))
    print(f"model {version} of study {name} is retired")
    return 0


def _plain(model: RegisteredModel) -> dict[str, object]:
    return {
        "study": model.study,
        "version": model.version,
        "stage": model.stage,
        "path": str(model.path),
        "checksum": model.checksum,
        "facts": dict(model.facts),
        "registered": model.registered.isoformat(),
        "changed": model.changed.isoformat(),
    }
