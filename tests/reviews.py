"""Texts made by a small grammar, whose labels no bag of words can tell."""

import numpy as np
import pandas as pd

_FILLERS = (
    "on",
    "tuesday",
    "with",
    "friends",
    "we",
    "came",
    "by",
    "train",
    "again",
    "for",
    "lunch",
)


def reviews(texts: int = 1300) -> pd.DataFrame:
    """Reviews that praise or pan food and service, each; the label tells which befell the food.

    A review is `fillers clause fillers clause fillers`, up to 7 fillers each, and a clause is
    `the (food|service) was [not] (good|bad)`, food or service coming first. "Not bad" is praise. Whether
    a clause is about the food is told three words before its end and up to 15 before the text's, and
    each word occurs as often with one label as with the other. The last 300 texts are the official test.
    """
    generator = np.random.default_rng(7)

    def fillers() -> str:
        return " ".join(generator.choice(_FILLERS, generator.integers(0, 8)))

    rows = []
    for number in range(texts):
        praised: dict[str, bool] = {}
        parts = [fillers()]
        for what in generator.permutation(["food", "service"]).tolist():
            denied, word = bool(generator.integers(2)), str(generator.choice(["good", "bad"]))
            praised[what] = (word == "good") != denied
            parts += [f"the {what} was {'not ' if denied else ''}{word}", fillers()]
        label = "praised" if praised["food"] else "panned"
        rows.append((" ".join(parts), label, "test" if number >= texts - 300 else "train"))
    return pd.DataFrame(rows, columns=["review", "food", "split"])
