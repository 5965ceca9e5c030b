"""A global count model: one calendar learnt over all series, each series' own deviations from it, and its level lately."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from incidents.analytics.panel import Panel, enough_history

_FloatArray = NDArray[np.float64]

YEAR = 365.25


@dataclass(frozen=True)
class CalendarCounts:
    """Expected = level × calendar. Everything is shrunk towards "nothing special" as far as few counts demand.

    The *calendar* is a Poisson regression of the sum of all series on weekday, two yearly waves and the regressors (holidays,
    Ramadan, first of the month), beside a trend bent once a year. Each effect has a Gaussian prior around none, in whose weight
    the dispersion counts, so that an overdispersed series is not believed day by day. Each series then gets its own weekday and
    yearly wave as deviations from the common ones, with tighter priors. The *level* of a series is what it counted lately over what
    the calendar would have had it count: the mean over three memories (half-lives), pulled towards its long run by ``level_prior``
    incidents, and for the nearest days a little towards the very last ones.

    References
    ----------
    McCullagh, Nelder (1989), Generalized Linear Models, ch. 6. Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., ch. 5 (partial
    pooling). Timmermann (2006), Handbook of Economic Forecasting 1 (why several memories are averaged instead of one chosen).

    Examples
    --------
    >>> from datetime import date
    >>> import numpy as np
    >>> week = np.array([8.0, 8, 8, 8, 16, 14, 8])
    >>> counts = np.random.default_rng(1).poisson(np.tile(week, 60)).astype(float)
    >>> ahead = CalendarCounts().means(Panel(date(2024, 1, 1), counts[None]), 7)
    >>> ahead.shape, bool(ahead[0, 4] > 1.4 * ahead[0, 0])
    ((1, 7), True)
    """

    half_lives: tuple[float, ...] = (10.0, 28.0, 90.0)
    level_prior: float = 20.0
    weekday_sd: float = 0.2
    season_sd: float = 0.14
    special_sd: float = 0.12
    own_weekday_sd: float = 0.06
    own_season_sd: float = 0.08
    season_from_days: int = 540
    last_days: float = 3.0
    last_days_weight: float = 0.3
    name: str = "calendar_counts"
    is_slow: bool = False

    def means(self, panel: Panel, horizon: int) -> _FloatArray:
        """Raises ``ValueError`` where a regressor does not reach ``horizon`` days ahead."""
        answer = np.full((panel.series, horizon), np.nan)
        able = enough_history(panel)
        if not able.any():
            return answer
        counts = panel.counts[able]
        n = panel.days
        calendar = self._calendar(panel, counts, horizon)
        known = np.isfinite(counts)
        happened = np.where(known, counts, 0.0)
        usual = np.where(known, calendar[:, :n], 0.0)
        long_run = happened.sum(axis=1) / usual.sum(axis=1)
        levels = []
        for half_life in self.half_lives:
            weight = 0.5 ** (np.arange(n - 1, -1, -1) / half_life)
            # level_prior incidents' worth of long-run days stand behind the recent ones.
            levels.append((happened @ weight + self.level_prior) / (usual @ weight + self.level_prior / np.maximum(long_run, 1e-9)))
        level = np.mean(levels, axis=0)
        weight = 0.5 ** (np.arange(n - 1, -1, -1) / self.last_days)
        due = level * (usual @ weight)
        lately = np.where(due > 0, (happened @ weight) / np.where(due > 0, due, 1.0), 1.0)
        trust = self.last_days_weight * due / (due + 20)
        nearness = 0.8 ** np.arange(horizon)
        answer[able] = level[:, None] * calendar[:, n:] * (1 + (trust * (lately - 1))[:, None] * nearness)
        return answer

    def _calendar(self, panel: Panel, counts: _FloatArray, horizon: int) -> _FloatArray:
        """What each day is worth against a usual one: shape (series, days + horizon)."""
        n = panel.days
        week = _weekdays(panel.weekdays(horizon))
        season = _season(panel, n + horizon, 2 if n >= self.season_from_days else 0)
        special = _specials(panel.regressors, n + horizon)
        trend = _trend(n, n + horizon)
        known = np.isfinite(counts)
        # A day on which some series are unknown counts for what the others say.
        total = np.where(known, counts, 0.0).sum(axis=0)
        share = (known * np.nanmean(counts, axis=1, keepdims=True)).sum(axis=0) / np.nanmean(counts, axis=1).sum()
        columns = np.concatenate([trend, week, season, special], axis=1)
        precision = np.concatenate(
            [
                np.r_[1e-6, np.full(trend.shape[1] - 1, 4.0)],
                np.full(7, self.weekday_sd**-2),
                np.full(season.shape[1], self.season_sd**-2),
                np.full(special.shape[1], self.special_sd**-2),
            ]
        )
        offset = np.log(np.maximum(share, 1e-12))[None]
        beta = _poisson_ridge(total[None], columns[:n], precision, offset, share[None] > 0)[0]
        common = np.asarray(columns[:, trend.shape[1] :] @ beta[trend.shape[1] :])
        if len(counts) == 1:
            return np.asarray(np.exp(common)[None])
        own = np.concatenate([trend, week, season[:, :2]], axis=1)
        own_precision = np.concatenate(
            [precision[: trend.shape[1]], np.full(7, self.own_weekday_sd**-2), np.full(min(2, season.shape[1]), self.own_season_sd**-2)]
        )
        deviations = _poisson_ridge(counts, own[:n], own_precision, np.broadcast_to(common[:n], counts.shape), known)
        return np.asarray(np.exp(common + deviations[:, trend.shape[1] :] @ own[:, trend.shape[1] :].T))


def _poisson_ridge(
    counts: _FloatArray, columns: _FloatArray, precision: _FloatArray, offset: _FloatArray, known: NDArray[np.bool_]
) -> _FloatArray:
    """Poisson regressions of every row of ``counts`` on the same columns, with Gaussian priors scaled by each row's own dispersion.

    Newton's steps for all rows at once: the outer products of the columns are made once, and each step is one matrix product.
    Returns shape (rows, columns).
    """
    rows, p = len(counts), columns.shape[1]
    outer = (columns[:, :, None] * columns[:, None, :]).reshape(len(columns), p * p) if rows > 1 else None
    happened = np.where(known, counts, 0.0)
    beta = np.zeros((rows, p))
    beta[:, 0] = np.log((happened.sum(axis=1) + 0.5) / ((np.exp(offset) * known).sum(axis=1) + 1e-9))
    spread = np.ones(rows)
    for step in range(9):
        expected = np.exp(np.clip(offset + beta @ columns.T, -30, 25)) * known
        if step == 3:
            spread = np.maximum(1.0, ((happened - expected) ** 2).sum(axis=1) / np.maximum(expected.sum(axis=1), 1e-9))
        held = precision[None, :] * spread[:, None]
        slope = (happened - expected) @ columns - held * beta
        curve = (expected @ outer).reshape(rows, p, p) if outer is not None else ((columns.T * expected[0]) @ columns)[None]
        curve[:, np.arange(p), np.arange(p)] += held + 1e-9
        move = np.linalg.solve(curve, slope[:, :, None])[:, :, 0]
        beta += np.clip(move, -2, 2)
        if step > 3 and np.abs(move).max() < 1e-4:
            break
    return beta


def _weekdays(weekdays: NDArray[np.int64]) -> _FloatArray:
    return np.asarray((weekdays[:, None] == np.arange(7)) - 1 / 7)


def _season(panel: Panel, length: int, waves: int) -> _FloatArray:
    turn = 2 * np.pi * (panel.first_day.timetuple().tm_yday + np.arange(length)) / YEAR
    parts = [wave(k * turn) for k in range(1, waves + 1) for wave in (np.sin, np.cos)]
    return np.stack(parts, axis=1) if parts else np.empty((length, 0))


def _specials(regressors: Mapping[str, _FloatArray], length: int) -> _FloatArray:
    if any(len(values) < length for values in regressors.values()):
        raise ValueError("A regressor must be known on every day forecast.")
    return np.stack([values[:length] for values in regressors.values()], axis=1) if regressors else np.empty((length, 0))


def _trend(n: int, length: int) -> _FloatArray:
    """A line in years before the end, with a bend at each whole year but those near the start."""
    years = (np.arange(length) - n) / YEAR
    bends = [-k for k in range(1, int(n / YEAR) + 1) if k < n / YEAR - 0.5]
    return np.stack([np.ones(length), years, *(np.maximum(years - bend, 0) + bend for bend in bends)], axis=1)
