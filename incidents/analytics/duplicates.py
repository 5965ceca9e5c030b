"""Are two reports of one event? A likeness between 0 and 1, with the parts it is made of."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from rapidfuzz import fuzz

from core.text import searchable

# Beyond these nobody looks: they bound the work, and with it what can be found.
WITHIN_M = 1_000.0
WITHIN_MINUTES = 90.0
# From here on a pair is shown to somebody. This, the halves and the weights were chosen on one generated set and are judged on others:
# `make bench ARGS="duplicates"`.
THRESHOLD = 0.57

HALF_AT_M = 200.0
HALF_AT_MINUTES = 30.0
SAME_CATEGORY, RELATED, UNRELATED = 0.8, 0.6, 0.1
WEIGHTS = {"near": 4.0, "soon": 2.0, "kin": 2.0, "words": 2.0}
_FLOOR = 0.02  # one part that says no does not settle it alone
_MIN_TEXT = 8
# What two agencies call one event: an accident is traffic to one and medical to another.
_RELATED = frozenset(
    frozenset(pair)
    for pair in (
        ("traffic", "medical"), ("traffic", "fire"), ("traffic", "service"), ("fire", "medical"), ("fire", "service"),
        ("violence", "medical"), ("violence", "disorder"), ("property", "violence"), ("property", "disorder"), ("welfare", "medical"),
        ("welfare", "service"), ("disorder", "service"), ("drugs", "medical"), ("drugs", "disorder"), ("traffic", "welfare"),
    )
)  # fmt: skip
_ARABIC = re.compile(r"[\u0600-\u06ff]")
_LATIN = re.compile(r"[a-z]")


@dataclass(frozen=True)
class Sighting:
    """A report: metres on a plane, minutes on any clock, our type and its category, what was written."""

    x_m: float
    y_m: float
    minutes: float
    type: str
    category: str
    text: str


@dataclass(frozen=True)
class Likeness:
    """``near``, ``soon``, ``kin`` and ``words`` run from 0 to 1; ``words`` is ``None`` where the texts cannot be compared."""

    score: float
    distance_m: float
    minutes: float
    near: float
    soon: float
    kin: float
    words: float | None


def likeness(one: Sighting, other: Sighting) -> Likeness:
    """How likely ``one`` and ``other`` are the same event: the weighted geometric mean of what their parts say.

    ``near`` and ``soon`` are 1 at no distance and one half at ``HALF_AT_M`` and ``HALF_AT_MINUTES``; ``kin`` is 1 for one type, less for
    one category, for categories that agencies use for the same event, and for others; ``words`` is rapidfuzz's token ratio of the
    folded texts (alef, ya, ta marbuta, diacritics, the article). Texts in different scripts, or too short, say nothing: their weight
    goes to the other parts.

    Symmetric; a report and itself make 1. The number is no probability: it is a rank with a threshold, judged on generated reports.

    References
    ----------
    Fellegi, Sunter (1969), A theory for record linkage, JASA 64, for the parts and the threshold; the weights are ours.

    Examples
    --------
    >>> crash = Sighting(0, 0, 0, "traffic-accident", "traffic", "two cars collided near the bridge")
    >>> hurt = Sighting(60, 0, 4, "injury", "medical", "cars collided, driver hurt, near bridge")
    >>> likeness(crash, hurt).score > THRESHOLD
    True
    >>> likeness(crash, Sighting(700, 0, 80, "burglary", "property", "flat broken into")).score < 0.3
    True
    """
    distance = math.hypot(one.x_m - other.x_m, one.y_m - other.y_m)
    apart = abs(one.minutes - other.minutes)
    parts: dict[str, float | None] = {
        "near": 1 / (1 + (distance / HALF_AT_M) ** 2),
        "soon": 1 / (1 + (apart / HALF_AT_MINUTES) ** 2),
        "kin": _kin(one, other),
        "words": words_alike(one.text, other.text),
    }
    known = {name: value for name, value in parts.items() if value is not None}
    weight = sum(WEIGHTS[name] for name in known)
    score = math.exp(sum(WEIGHTS[name] * math.log(max(value, _FLOOR)) for name, value in known.items()) / weight)
    return Likeness(score, distance, apart, known["near"], known["soon"], known["kin"], parts["words"])


def _kin(one: Sighting, other: Sighting) -> float:
    if one.type == other.type:
        return 1.0
    if one.category == other.category:
        return SAME_CATEGORY
    return RELATED if frozenset((one.category, other.category)) in _RELATED else UNRELATED


def words_alike(one: str, other: str) -> float | None:
    """0 to 1, or ``None`` where one is too short or they are written in different scripts.

    >>> words_alike("حريق في مخزن بالشُويخ الصناعية", "حريق مخزن الشويخ الصناعيه") > 0.85
    True
    >>> words_alike("fire in a warehouse", "حريق في مخزن") is None
    True
    """
    one, other = plain_words(one), plain_words(other)
    if len(one) < _MIN_TEXT or len(other) < _MIN_TEXT or not _scripts(one) & _scripts(other):
        return None
    return (fuzz.token_set_ratio(one, other) + fuzz.token_sort_ratio(one, other)) / 200


def plain_words(text: str) -> str:
    """Folded for comparison: as for search, and without the article, which one writer puts and another leaves out."""
    return " ".join(_bare(word) for word in searchable(text[:2_000]).split())


def _bare(word: str) -> str:
    for prefix in ("وال", "بال", "لل", "ال"):
        if word.startswith(prefix) and len(word) - len(prefix) >= 3:
            return word[len(prefix) :]
    return word


def _scripts(text: str) -> set[str]:
    found = {"arabic"} if _ARABIC.search(text) else set()
    return found | {"latin"} if _LATIN.search(text) else found
