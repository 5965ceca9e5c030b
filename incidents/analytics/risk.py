"""Where incidents of a kind are to be expected next: a weighted sum of what each cell and its surroundings have seen, fitted as counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from incidents.analytics.grid import Cells
from incidents.analytics.risk_components import STEP_DAYS, Components, Happened, components, part_name

_FloatArray = NDArray[np.float64]

NAME = "fading_counts"
LEAST_DAYS, LEAST_INCIDENTS = 28, 30
TRAIN_WEEKS = 104
_SEEN_SHARE, _FEW = 0.6, 26  # an origin with much less behind it than today teaches what to do with little history, not with this
_TOP, _BLEND = 0.2, 0.5  # the decision is made among the top cells: they get weights of their own, blended in over this log-width
_FIRST_ROUNDS = 60
_PULL, _PULL_INCIDENTS = 0.03, 60.0

# What the components' shares were on average over the series the model was chosen on: where a fit has little to go by, it stays here.
USUAL_SHARES = {
    "own 3000 0": 0.105,
    "days 3000 0": 0.096,
    "own 448 0": 0.08,
    "days 448 0": 0.07,
    "season 0": 0.055,
    "own 7 800": 0.05,
    "own 112 0": 0.048,
    "own 28 800": 0.046,
    "others 28 0": 0.045,
    "own 3000 100": 0.039,
    "days 3000 100": 0.038,
    "days 112 0": 0.027,
    "own 3000 250": 0.027,
    "own 448 100": 0.023,
    "own 448 250": 0.023,
    "days 448 100": 0.022,
    "own 28 250": 0.02,
    "own 28 100": 0.018,
    "season 250": 0.017,
    "own 28 0": 0.017,
    "own 7 250": 0.016,
    "own 112 800": 0.015,
    "others 448 0": 0.015,
    "flat": 0.015,
    "own 448 800": 0.014,
    "own 3000 800": 0.013,
    "own 112 250": 0.013,
    "own 112 100": 0.009,
    "others 28 250": 0.009,
    "days 112 100": 0.008,
    "own 7 100": 0.006,
    "own 7 0": 0.002,
}


class TooLittleHistory(ValueError):
    """There is too little to learn from. The message says what there is and what is needed."""


@dataclass(frozen=True)
class RiskModel:
    """Two sets of weights on the same components: for all cells, and for those that come out on top.

    Attributes
    ----------
    names : tuple of str, length k
    overall, on_top : ndarray of float64, shape (k,)
        Not negative; incidents a horizon for each unit of a component.
    incidents, origins : int
        What it was fitted to.
    """

    names: tuple[str, ...]
    overall: _FloatArray
    on_top: _FloatArray
    incidents: int
    origins: int

    def weights(self, values: NDArray[np.float32]) -> _FloatArray:
        """(cells, k): the weights in force in each cell of ``values`` (cells, k)."""
        first = values @ self.overall
        if not len(first):
            return np.empty((0, len(self.names)))
        level = np.log(np.quantile(first, 1 - _TOP) + 1e-6)
        is_top = 1 / (1 + np.exp(np.clip(-4 * (np.log(first + 1e-6) - level) / _BLEND, -50, 50)))
        return is_top[:, None] * self.on_top + (1 - is_top)[:, None] * self.overall

    def expected(self, values: NDArray[np.float32]) -> _FloatArray:
        """(cells,): incidents expected in each cell over the horizon."""
        return np.asarray((self.weights(values) * values).sum(axis=1))

    def parts(self, values: NDArray[np.float32]) -> dict[str, _FloatArray]:
        """What each part contributes to :meth:`expected`, cell by cell; the parts add up to it."""
        each = self.weights(values) * values
        found: dict[str, _FloatArray] = {}
        for number, name in enumerate(self.names):
            part = part_name(name)
            found[part] = found.get(part, 0.0) + each[:, number]
        return found

    def shares(self) -> dict[str, float]:
        """How much of all it expects comes from each component (by the overall weights at the fit)."""
        return {name: float(weight) for name, weight in zip(self.names, self.overall, strict=True) if weight > 0}


@dataclass(frozen=True)
class Risk:
    """What was predicted. ``expected[c]`` are incidents in ``cells`` over the horizon; ``parts`` add up to it."""

    cells: Cells
    expected: _FloatArray
    parts: dict[str, _FloatArray]
    model: RiskModel


def fit_risk(seen: Components, happened: NDArray[np.float32]) -> RiskModel:
    """Fit the weights by maximum likelihood of Poisson counts whose mean is the weighted sum (weights not negative).

    First over all cells, by expectation-maximisation stopped early, which leaves near-equal components near-equal weights; then again
    over the fifth of the cells that came out on top, pulled towards the usual shares. A likelihood over all cells is dominated by the
    many quiet ones, and the cells a patrol is sent to are the few others.

    Parameters
    ----------
    seen : Components
        ``values`` of shape (origins, cells, k).
    happened : ndarray of float32, shape (origins, cells)
        What came to pass in the horizon behind each origin.

    Raises
    ------
    TooLittleHistory
        Where nothing happened.

    References
    ----------
    Mohler et al. (2015), JASA 110, 1399-1411 (fading counts as a self-exciting process, fitted by EM). Marsan, Lengliné (2008),
    Science 319, 1076-1079. Loader (1999), Local Regression and Likelihood, ch. 4.
    """
    k = len(seen.names)
    values, counts = seen.values.reshape(-1, k), happened.ravel().astype(np.float64)
    total = counts.sum()
    if not total:
        raise TooLittleHistory("Nothing happened in the time to learn from.")
    overall = _by_expectation(values, counts)
    first = (values @ overall).reshape(happened.shape)
    is_top = (first >= np.quantile(first, 1 - _TOP, axis=1)[:, None]).ravel()
    on_top = _by_likelihood(values[is_top], counts[is_top], _usual(seen.names)) if counts[is_top].sum() else overall
    return RiskModel(seen.names, overall, on_top, int(total), len(happened))


def _usual(names: tuple[str, ...]) -> _FloatArray:
    shares = np.array([USUAL_SHARES.get(name, 0.0) for name in names])
    return shares / shares.sum() if shares.sum() else np.full(len(names), 1 / len(names))


def _by_expectation(values: NDArray[np.float32], counts: _FloatArray) -> _FloatArray:
    """Each incident is shared out among the components that may have led to it; the shares give the weights; and again."""
    exposure = values.sum(axis=0, dtype=np.float64) + 1e-9
    busy = np.flatnonzero(counts)
    mine, much = values[busy].astype(np.float64), counts[busy]
    weights = counts.sum() / len(exposure) / exposure
    for _ in range(_FIRST_ROUNDS):
        weights = weights * ((much / np.maximum(mine @ weights, 1e-12)) @ mine) / exposure
    return weights


def _by_likelihood(values: NDArray[np.float32], counts: _FloatArray, usual: _FloatArray) -> _FloatArray:
    """In shares of the total, so that the pull means the same for every component."""
    exposure = values.sum(axis=0, dtype=np.float64) + 1e-9
    total = counts.sum()
    scale = total / exposure
    busy = np.flatnonzero(counts)
    mine, much = values[busy] * scale, counts[busy] / total
    pull = _PULL + _PULL_INCIDENTS / total

    def loss(shares: _FloatArray) -> tuple[float, _FloatArray]:
        rate = mine @ shares + 1e-12
        off = shares - usual
        return float(shares.sum() - much @ np.log(rate) + pull * off @ off), 1 - (much / rate) @ mine + 2 * pull * off

    answer = minimize(loss, usual.copy(), jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(usual), options={"maxiter": 300})
    return np.asarray(answer.x * scale)


def origins_until(as_of: float, first_day: float) -> _FloatArray:
    """The weekly moments from the first incident on that end at ``as_of``.

    >>> origins_until(30.0, 1.0).tolist()
    [2.0, 9.0, 16.0, 23.0, 30.0]
    """
    weeks = max(0, int((as_of - first_day) // STEP_DAYS))
    return as_of - STEP_DAYS * np.arange(weeks, -1, -1, dtype=np.float64)


def origins_to_learn_from(
    origins: _FloatArray, *, begins: float, now: float, horizon_days: float, train_weeks: int = TRAIN_WEEKS
) -> NDArray[np.int64]:
    """Which of ``origins`` to fit on when looking from ``now``: those whose horizon had passed, the last ``train_weeks`` of them, without
    those that had less than three fifths of today's history behind them (as long as half a year of origins is left).
    """
    passed = np.flatnonzero(origins + horizon_days <= now + 1e-9)[-train_weeks:]
    ripe = passed[origins[passed] - begins >= _SEEN_SHARE * (now - begins)]
    return ripe if len(ripe) >= _FEW else passed[-_FEW:]


def counted(happened: Happened, cells: Cells, origins: _FloatArray, *, horizon_days: float, gap_days: float = 0.0) -> NDArray[np.float32]:
    """(origins, cells): own incidents in ``[origin + gap, origin + gap + horizon)``."""
    mine = happened.own
    cell, day = cells.of_points(happened.xy_m[mine]), happened.day[mine]
    known = cell >= 0
    cell, day = cell[known], day[known]
    order = np.argsort(day, kind="stable")
    cell, day = cell[order], day[order]
    begins, ends = np.searchsorted(day, origins + gap_days), np.searchsorted(day, origins + gap_days + horizon_days)
    out = [np.bincount(cell[begin:end], minlength=len(cells)) for begin, end in zip(begins, ends, strict=True)]
    return np.array(out, dtype=np.float32).reshape(len(origins), len(cells))


def check_history(happened: Happened, *, as_of: float) -> None:
    """Raise :class:`TooLittleHistory`, in plain words, where a prediction would be invented."""
    own = happened.day[happened.own & (happened.day < as_of)]
    if not len(own):
        raise TooLittleHistory("Too little history: no incidents before this day.")
    days = int(np.ceil(as_of - np.floor(own.min())))
    if days < LEAST_DAYS:
        raise TooLittleHistory(f"Too little history: {days} days, needs {LEAST_DAYS}.")
    if len(own) < LEAST_INCIDENTS:
        raise TooLittleHistory(f"Too little history: {len(own)} incidents, needs {LEAST_INCIDENTS}.")


def predict_risk(
    happened: Happened, *, as_of: float, horizon_days: float, cell_m: float, cells: Cells | None = None, train_weeks: int = TRAIN_WEEKS
) -> Risk:
    """Expected incidents in each cell in ``[as_of, as_of + horizon_days)``, from what lies before ``as_of`` alone.

    Parameters
    ----------
    happened : Happened
        May reach beyond ``as_of``; that part is dropped before anything else is done.
    cells : Cells, optional
        Default: every cell that has had an incident of the kind before ``as_of``.

    Raises
    ------
    TooLittleHistory
        Below 28 days or 30 incidents of the kind.
    """
    past = happened.before(as_of)
    check_history(past, as_of=as_of)
    if cells is None:
        cells = Cells.under(past.xy_m[past.own], cell_m=cell_m)
    origins = origins_until(as_of, float(np.floor(past.day[past.own].min())))
    reach = int(np.ceil(horizon_days / STEP_DAYS))
    seen = components(past, cells, origins, keep=min(len(origins), train_weeks + reach))
    known = origins_to_learn_from(
        seen.origins, begins=float(past.day[past.own].min()), now=as_of, horizon_days=horizon_days, train_weeks=train_weeks
    )
    if not len(known):
        raise TooLittleHistory(f"Too little history: {len(origins) - 1} weeks, needs {reach + 1} to learn {horizon_days:g} days ahead.")
    model = fit_risk(
        Components(seen.values[known], seen.origins[known], seen.names),
        counted(past, cells, seen.origins[known], horizon_days=horizon_days),
    )
    now = seen.values[-1]
    return Risk(cells, model.expected(now), model.parts(now), model)
