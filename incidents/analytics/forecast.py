"""The next days of many series: candidates walked forward beside the baselines, the best one published if it beats counting."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from incidents.analytics.backtest import Figures, Walk, judge, spreads, walk_forward
from incidents.analytics.baselines import LastWeek, RecentMean, SameWeekday
from incidents.analytics.calendar_counts import CalendarCounts
from incidents.analytics.counts import count_interval
from incidents.analytics.panel import Method, Panel, enough_history, shortfall, silent_days
from incidents.analytics.prophet_counts import ProphetCounts
from incidents.analytics.smoothing import Smoothing
from incidents.analytics.weekday_counts import WeekdayCounts

__all__ = [
    "BASELINES",
    "CANDIDATES",
    "QUICK",
    "Choice",
    "Forecasts",
    "Panel",
    "enough_history",
    "forecast",
    "shortfall",
    "silent_days",
]

_FloatArray = NDArray[np.float64]

CANDIDATES: tuple[Method, ...] = (CalendarCounts(), WeekdayCounts(), ProphetCounts(), Smoothing("ets"), Smoothing("theta"))
QUICK: tuple[Method, ...] = tuple(method for method in CANDIDATES if not method.is_slow)
BASELINES: tuple[Method, ...] = (RecentMean(), SameWeekday(), LastWeek())
REFERENCE = RecentMean().name
LEAST_ORIGINS = 8
ORIGINS = 52
_FACTOR = 3.0


@dataclass(frozen=True)
class Choice:
    """Which method is published, and why. ``reasons`` are codes with their figures; ``figures`` are by method, beside the best baseline."""

    champion: str
    best_baseline: str
    published: str
    beats_baseline: bool
    reasons: tuple[tuple[str, dict[str, Any]], ...]
    figures: dict[str, Figures] = field(default_factory=dict)
    origins: int = 0


@dataclass(frozen=True)
class Said:
    """What one method says: shape (series, horizon), NaN where it says nothing, and its spread, shape (series,)."""

    expected: _FloatArray
    dispersion: _FloatArray

    def interval(self, share: float) -> tuple[_FloatArray, _FloatArray]:
        """Whole numbers; NaN where nothing is said."""
        low, high = np.full(self.expected.shape, np.nan), np.full(self.expected.shape, np.nan)
        says = np.isfinite(self.expected)
        spread = np.broadcast_to(self.dispersion[:, None], self.expected.shape)
        if says.any():
            low[says], high[says] = count_interval(self.expected[says], spread[says], share=share)
        return low, high


@dataclass(frozen=True)
class Forecasts:
    """``methods`` names who made each series' row of ``published`` ("" for none: too little history). ``held_back`` is the champion's
    answer where a baseline stands in for it. ``baselines`` are all of them, by name."""

    choice: Choice
    published: Said
    methods: tuple[str, ...]
    held_back: Said | None
    baselines: dict[str, Said]
    walk: Walk
    refused: tuple[tuple[int, str, str], ...] = ()


def forecast(
    panel: Panel,
    *,
    horizon: int = 7,
    candidates: Sequence[Method] = CANDIDATES,
    origins: int = ORIGINS,
    switched_off: Collection[str] = (),
    beat: Callable[[], None] = lambda: None,
) -> Forecasts:
    """Walk ``candidates`` and the baselines forward, choose, and say the next ``horizon`` days of every series with enough history.

    The champion is the candidate with the lowest CRPS beside the 28-day mean; a slow one, walked over fewer weeks, takes the place of
    a quick one only where it is ahead of it beyond chance. It is published where it beats the best baseline in CRPS and is not behind it
    in absolute error beyond chance; else that baseline stands in, and the champion's answer is kept apart to be scored. A method that
    is switched off cannot be published. An answer that is negative, not a number, or more than threefold away from the last four
    weeks is never mended by cutting it to size: for that series the next in rank is asked.

    Parameters
    ----------
    panel : Panel
        Whole days, the last of them the day before the first one forecast; regressors reach ``horizon`` days further.

    Examples
    --------
    >>> from datetime import date
    >>> counts = np.random.default_rng(1).poisson(np.tile([5.0, 5, 5, 5, 15, 15, 5], 40), (3, 280)).astype(float)
    >>> found = forecast(Panel(date(2025, 1, 6), counts), candidates=QUICK)
    >>> found.choice.beats_baseline, found.published.expected.shape
    (True, (3, 7))
    """
    # One thread: matrices this small are slower shared out, and other workers want the cores.
    with threadpool_limits(1, user_api="blas"):
        return _forecast(panel, horizon, candidates, origins, switched_off, beat)


def _forecast(
    panel: Panel, horizon: int, candidates: Sequence[Method], origins: int, switched_off: Collection[str], beat: Callable[[], None]
) -> Forecasts:
    known = {method.name: method for method in (*candidates, *BASELINES)}
    walk = walk_forward(panel, tuple(known.values()), horizon=horizon, origins=origins, beat=beat)
    choice = choose(walk, candidates=[method.name for method in candidates], switched_off=switched_off)
    rank = sorted((name for name in known if name not in switched_off), key=lambda name: _standing(choice, name))

    def say(name: str) -> Said:
        beat()
        return Said(known[name].means(panel, horizon), _spread_ahead(walk, name))

    baselines = {method.name: say(method.name) for method in BASELINES}
    first = baselines.get(choice.published) or say(choice.published)
    published, methods, refused = _complete(panel, choice.published, first, [name for name in rank if name != choice.published], say)
    held_back = say(choice.champion) if choice.champion != choice.published else None
    return Forecasts(choice, published, methods, held_back, baselines, walk, refused)


def choose(walk: Walk, *, candidates: Sequence[str], switched_off: Collection[str] = ()) -> Choice:
    """Champion, best baseline, and which of the two is published, from a walk."""
    names = [method.name for method in BASELINES]
    off: tuple[tuple[str, dict[str, Any]], ...] = tuple(
        ("switched_off", {"model": name}) for name in sorted(set(switched_off) & set(candidates))
    )
    if walk.origins < LEAST_ORIGINS:
        why = ("too_little_history", {"origins": walk.origins, "needs": LEAST_ORIGINS})
        return Choice(candidates[0], REFERENCE, REFERENCE, False, (why, *off), {}, walk.origins)
    beside_reference = judge(walk, against=REFERENCE)
    if REFERENCE not in beside_reference:
        return Choice(candidates[0], REFERENCE, REFERENCE, False, (("too_little_history", {}), *off), {}, walk.origins)
    baseline = min((name for name in names if name in beside_reference), key=lambda name: beside_reference[name].crps_ratio.value)
    champion, beaten = _champion(walk, candidates, beside_reference, switched_off)
    figures = judge(walk, against=baseline)
    best = figures.get(champion)
    beats = best is not None and best.crps_ratio.value < 1 and best.wape_ratio.low <= 1
    reasons: list[tuple[str, dict[str, Any]]] = []
    if best is not None:
        crps, wape = best.as_dict()["crps_ratio"], best.as_dict()["wape_ratio"]
        code = ("beats_baseline" if (crps[2] or 1) < 1 else "ahead_within_chance") if beats else "loses_to_baseline"
        reasons.append(
            (code, {"champion": champion, "baseline": baseline, "crps_ratio": crps, "wape_ratio": wape, "origins": best.origins})
        )
    reasons += beaten
    reasons += [("left_the_race", {"model": name, "error_ratio": _figure(ratio)}) for name, ratio in walk.left.items()]
    reasons += off
    published = champion if beats and champion not in switched_off else baseline
    if baseline in switched_off and published == baseline:
        published = REFERENCE
    return Choice(champion, baseline, published, beats, tuple(reasons), figures, walk.origins)


def _champion(
    walk: Walk, candidates: Sequence[str], figures: dict[str, Figures], switched_off: Collection[str]
) -> tuple[str, list[tuple[str, dict[str, Any]]]]:
    """The best of those walked over every origin; one walked over fewer takes its place only where it is ahead beyond chance."""
    asked = [name for name in candidates if name in figures and name not in walk.left]
    asked = [name for name in asked if name not in switched_off] or asked or [candidates[0]]
    most = max((figures[name].origins for name in asked if name in figures), default=0)
    whole = [name for name in asked if name in figures and figures[name].origins == most] or asked[:1]
    champion = min(whole, key=lambda name: figures[name].crps_ratio.value if name in figures else np.inf)
    reasons: list[tuple[str, dict[str, Any]]] = []
    for name in (name for name in asked if name not in whole):
        beside = judge(Walk({name: walk.expected[name], champion: walk.expected[champion]}, walk.observed, {}), against=champion)[name]
        is_ahead = beside.crps_ratio.high < 1
        ratio = beside.as_dict()["crps_ratio"]
        reasons.append(
            ("challenger", {"model": name, "against": champion, "crps_ratio": ratio, "origins": beside.origins, "won": is_ahead})
        )
        champion = name if is_ahead else champion
    return champion, reasons


def _figure(ratio: float) -> float | None:
    return round(ratio, 4) if np.isfinite(ratio) else None


def _standing(choice: Choice, name: str) -> float:
    found = choice.figures.get(name)
    return found.crps_ratio.value if found and np.isfinite(found.crps_ratio.value) else 9.0


def _spread_ahead(walk: Walk, name: str) -> _FloatArray:
    """Of a method's own backtest; where it was too short for one, a cautious guess."""
    if walk.origins < 4:
        return np.full(walk.observed.shape[1], 1.5)
    return spreads(walk.expected[name], walk.observed)[0]


def _complete(
    panel: Panel, name: str, first: Said, others: Sequence[str], say: Callable[[str], Said]
) -> tuple[Said, tuple[str, ...], tuple[tuple[int, str, str], ...]]:
    """``first`` where its answers are sound, the next in rank where they are not."""
    expected, dispersion = np.full(first.expected.shape, np.nan), np.ones(panel.series)
    methods = [""] * panel.series
    refused: list[tuple[int, str, str]] = []
    open_rows = np.flatnonzero(enough_history(panel))
    for method in (name, *others):
        if not len(open_rows):
            break
        said = first if method == name else say(method)
        still = []
        for row in open_rows:
            why = nonsense(panel.counts[row], said.expected[row])
            if why is None:
                expected[row], dispersion[row], methods[row] = said.expected[row], said.dispersion[row], method
                continue
            still.append(row)
            refused.append((int(row), method, why))
        open_rows = np.array(still, dtype=np.int64)
    return Said(expected, dispersion), tuple(methods), tuple(refused)


def nonsense(counts: _FloatArray, expected: _FloatArray) -> str | None:
    """Why an answer is none, or ``None``.

    >>> nonsense(np.full(60, 10.0), np.full(7, 11.0)) is None, nonsense(np.full(60, 10.0), np.full(7, 90.0))
    (True, 'out of proportion: 2520 in 28 days, after 280')
    """
    if not np.isfinite(expected).all():
        return "no answer"
    if (expected < 0).any():
        return "negative"
    recent = counts[-28:]
    recent = recent[np.isfinite(recent)]
    if len(recent) < 14:
        return None
    total, ahead = float(recent.sum()), float(expected.mean()) * len(recent)
    # Two standard errors of a count, so that a thin series is not called nonsense for its own noise.
    slack = 2 * np.sqrt(total + 1) + 2
    if ahead > _FACTOR * total + slack or ahead * _FACTOR + slack < total:
        return f"out of proportion: {ahead:.0f} in {len(recent)} days, after {total:.0f}"
    return None
