"""Walking forward: what each method would have said in each of the last weeks, from what was known then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from incidents.analytics.counts import covered
from incidents.analytics.evaluation import Estimate, bootstrap_ratio, crps_count
from incidents.analytics.panel import LEAST_DAYS, Method, Panel

_FloatArray = NDArray[np.float64]

RACE_ORIGINS = 4
RACE_SERIES = 12
SLOW_ORIGINS = 8
RACE_SLACK = 1.0
SPREAD_PRIOR = 60.0  # days' worth of all series' errors behind each series' own
MOST_SPREAD = 50.0
CAP = 6.0
_CAPPED_MEAN = 0.974225  # the mean of a squared standard Gaussian, capped at CAP


@dataclass(frozen=True)
class Walk:
    """``expected[name]`` and ``observed`` have the shape (origins, series, horizon), the earliest origin first; NaN where a method was
    not asked or did not answer, and where the day is unknown. ``left`` names the slow methods that left the race, with their error
    over the leader's."""

    expected: Mapping[str, _FloatArray]
    observed: _FloatArray
    left: Mapping[str, float]

    @property
    def origins(self) -> int:
        return len(self.observed)


def walk_forward(
    panel: Panel,
    methods: Sequence[Method],
    *,
    horizon: int = 7,
    origins: int = 52,
    step_days: int = 7,
    race: bool = True,
    beat: Callable[[], None] = lambda: None,
) -> Walk:
    """Ask every method at each of the last ``origins`` weekly origins, with nothing later than the origin before it.

    Slow methods (a fit a series) first run a race: on ``RACE_ORIGINS`` origins and the ``RACE_SERIES`` busiest series. One whose error
    there is not below the best quick method's leaves; one that stays is walked over ``SLOW_ORIGINS`` origins. ``race=False`` walks
    them in full.
    """
    room = (panel.days - LEAST_DAYS - horizon) // step_days + 1
    ends = [panel.days - horizon - step_days * back for back in range(max(0, min(origins, room)))][::-1]
    shape = (len(ends), panel.series, horizon)
    observed = np.stack([panel.counts[:, end : end + horizon] for end in ends]) if ends else np.empty(shape)
    expected = {method.name: np.full(shape, np.nan) for method in methods}
    quick, slow = [m for m in methods if not m.is_slow or not race], [m for m in methods if m.is_slow and race]
    for method in quick:
        for k, end in enumerate(ends):
            expected[method.name][k] = method.means(panel.until(end), horizon)
            beat()
    left: dict[str, float] = {}
    busiest = np.argsort(-np.nansum(panel.counts, axis=1), kind="stable")[:RACE_SERIES]
    for method in slow:
        first = _evenly(len(ends), RACE_ORIGINS)
        for k in first:
            expected[method.name][k, busiest] = method.means(panel.rows(busiest).until(ends[k]), horizon)
            beat()
        behind = _behind(expected, observed, method.name, [m.name for m in quick])
        if not behind < RACE_SLACK:
            left[method.name] = behind
            continue
        others = np.setdiff1d(np.arange(panel.series), busiest)
        for k in _evenly(len(ends), SLOW_ORIGINS):
            for rows in (others,) if k in first else (busiest, others):
                if len(rows):
                    expected[method.name][k, rows] = method.means(panel.rows(rows).until(ends[k]), horizon)
                    beat()
    return Walk(expected, observed, left)


def _evenly(n: int, wanted: int) -> list[int]:
    """
    >>> _evenly(26, 4), _evenly(3, 8)
    ([6, 12, 19, 25], [0, 1, 2])
    """
    return sorted({n - 1 - k * n // wanted for k in range(wanted)}) if n > wanted else list(range(n))


def _behind(expected: Mapping[str, _FloatArray], observed: _FloatArray, name: str, quick: Sequence[str]) -> float:
    """The error of one method over the best quick one's, on the days it answered; infinite where it answered none."""
    mine = expected[name]
    ratios = []
    for other in quick:
        both = np.isfinite(mine) & np.isfinite(expected[other]) & np.isfinite(observed)
        error = float(np.abs(expected[other] - observed)[both].sum())
        if error > 0:
            ratios.append(float(np.abs(mine - observed)[both].sum()) / error)
    return max(ratios, default=float("inf"))


def spreads(expected: _FloatArray, observed: _FloatArray) -> tuple[_FloatArray, _FloatArray]:
    """How much wider than Poisson the days fell around what was said (Pearson's dispersion), for the future and for each origin.

    One riot must not widen a year of intervals: squared errors beyond ``CAP`` times their usual size count as that, and the mean is
    put right for it as if errors were Gaussian (Huber's proposal 2). Days on which less than two were expected are left as they are.
    A series' own errors are pooled with those of all series, ``SPREAD_PRIOR`` days of them. At each origin the other origins
    speak, so that a forecast is never judged by a spread that has seen its own error.

    Parameters
    ----------
    expected, observed : ndarray of float64, shape (origins, series, horizon)

    Returns
    -------
    ahead : ndarray of float64, shape (series,)
    at_origin : ndarray of float64, shape (origins, series)
        Both between 1 and 50.

    References
    ----------
    Huber (1964), The Annals of Mathematical Statistics 35(1). McCullagh, Nelder (1989), Generalized Linear Models, sec. 4.5.

    Examples
    --------
    >>> ahead, each = spreads(np.full((26, 1, 7), 10.0), np.tile([0.0, 20.0], 91).reshape(26, 1, 7))
    >>> ahead.round(1).tolist(), each.shape
    ([10.3], (26, 1))
    """
    known = np.isfinite(expected) & np.isfinite(observed) & (expected > 0)
    gaps = np.where(known, (np.where(known, observed - expected, 0.0)) ** 2 / np.where(known, expected, 1.0), 0.0)
    is_small = known & (np.where(known, expected, 0.0) < 2)
    gaps, pooled_gaps = (_capped(gaps, known, is_small, axis).sum(axis=2) for axis in ((0, 2), (0, 1, 2)))
    days = known.sum(axis=2).astype(float)
    pooled = pooled_gaps.sum() / days.sum() if days.sum() else 1.0
    all_gaps, all_days = gaps.sum(axis=0), days.sum(axis=0)
    each = np.stack([_spread(all_gaps - gaps[k], all_days - days[k], pooled) for k in range(len(gaps))]) if len(gaps) else gaps
    return _spread(all_gaps, all_days, pooled), each


def _capped(gaps: _FloatArray, known: NDArray[np.bool_], is_small: NDArray[np.bool_], axis: tuple[int, ...]) -> _FloatArray:
    """``gaps`` (squared errors over their mean) with the far ones brought in, each beside the usual one along ``axis``."""
    days = np.maximum(known.sum(axis=axis, keepdims=True), 1)
    usual = np.maximum(gaps.sum(axis=axis, keepdims=True) / days, 1e-9)
    capped = gaps
    for _ in range(8):
        capped = np.where(is_small, gaps, np.minimum(gaps, CAP * usual) / _CAPPED_MEAN)
        usual = np.maximum(capped.sum(axis=axis, keepdims=True) / days, 1e-9)
    return capped


def _spread(gaps: _FloatArray, days: _FloatArray, pooled: float) -> _FloatArray:
    return np.clip((gaps + SPREAD_PRIOR * pooled) / (days + SPREAD_PRIOR), 1.0, MOST_SPREAD)


@dataclass(frozen=True)
class Figures:
    """A method's backtest against ``against`` (a baseline), on the days both answered.

    Attributes
    ----------
    wape, crps : Estimate
        Absolute error, and CRPS, over what happened; with 95 % intervals from drawing whole weeks anew.
    wape_ratio, crps_ratio : Estimate
        Over the baseline's: below 1 is better than counting.
    cover_80, cover_95 : float
        The share of days inside the intervals.
    origins, days : int
    """

    wape: Estimate
    crps: Estimate
    wape_ratio: Estimate
    crps_ratio: Estimate
    cover_80: float
    cover_95: float
    origins: int
    days: int

    def as_dict(self) -> dict[str, list[float | None]]:
        """By metric: value, lower and upper end."""
        found: dict[str, list[float | None]] = {
            name: [_plain(each.value), _plain(each.low), _plain(each.high)]
            for name, each in (("wape", self.wape), ("crps", self.crps), ("wape_ratio", self.wape_ratio), ("crps_ratio", self.crps_ratio))
        }
        found |= {"cover_80": [_plain(self.cover_80), None, None], "cover_95": [_plain(self.cover_95), None, None]}
        return found | {"origins": [float(self.origins), None, None]}


def judge(walk: Walk, *, against: str, seed: int = 1) -> dict[str, Figures]:
    """Every method's figures beside those of the baseline ``against``, each on the days both answered."""
    crps: dict[str, _FloatArray] = {}
    held: dict[str, tuple[_FloatArray, _FloatArray]] = {}
    for name, expected in walk.expected.items():
        asked = np.isfinite(expected) & np.isfinite(walk.observed)
        _ahead, each = spreads(expected, walk.observed)
        spread = np.broadcast_to(each[:, :, None], expected.shape)[asked]
        crps[name] = np.full(expected.shape, np.nan)
        crps[name][asked] = crps_count(expected[asked], spread, walk.observed[asked]) if asked.any() else 0.0
        inside = [np.full(expected.shape, np.nan) for _ in range(2)]
        for values, share in zip(inside, (0.8, 0.95), strict=True):
            values[asked] = covered(walk.observed[asked], expected[asked], spread, share=share)
        held[name] = (inside[0], inside[1])
    found = {}
    for name, expected in walk.expected.items():
        both = np.isfinite(crps[name]) & np.isfinite(crps[against])
        weeks = np.flatnonzero(both.any(axis=(1, 2)))
        if not len(weeks):
            continue
        happened, error, base, mine, other = (
            np.where(both, values, 0.0).sum(axis=(1, 2))[weeks]
            for values in (
                walk.observed,
                np.abs(expected - walk.observed),
                np.abs(walk.expected[against] - walk.observed),
                crps[name],
                crps[against],
            )
        )
        found[name] = Figures(
            wape=bootstrap_ratio(error, happened, seed=seed),
            crps=bootstrap_ratio(mine, happened, seed=seed),
            wape_ratio=bootstrap_ratio(error, base, seed=seed),
            crps_ratio=bootstrap_ratio(mine, other, seed=seed),
            cover_80=float(held[name][0][both].mean()),
            cover_95=float(held[name][1][both].mean()),
            origins=len(weeks),
            days=int(both.sum()),
        )
    return found


def _plain(value: float) -> float | None:
    return round(float(value), 5) if np.isfinite(value) else None
