"""The p-median: posts with the least demand-weighted time from a cell to its nearest unit."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, milp

from patrol.analytics.coverage_case import (
    BUDGET_S,
    GREEDY,
    OUT_OF_TIME,
    P_MEDIAN,
    PROVEN_GAP,
    BoolArray,
    Case,
    CoverageResult,
    FloatArray,
    at_most,
    bound_of,
    case_of,
    judged,
    options,
)

ROUNDS = 1500
PATIENCE = 25  # rounds without a better bound, before steps are halved
CLOSED = 1e-6  # a gap below it is none
MOST_PAIRS = 150_000  # pairs of cell and post that branch and cut can make use of in seconds


def p_median(
    demand: FloatArray,
    seconds: FloatArray,
    units: int,
    *,
    limit_s: float,
    kept: Sequence[int] = (),
    unreached_s: float | None = None,
    budget_s: float = BUDGET_S,
    wanted_gap: float = PROVEN_GAP,
) -> CoverageResult:
    """Posts with the least demand-weighted time from a cell to its nearest unit.

    The p-median problem [1]_. Exchanges of posts [2]_ find a good choice, Lagrangean relaxation [3]_ proves how good any choice can be and
    which posts a better one must or cannot have; what then is still open goes to branch and cut (HiGHS), for as long as the budget lasts.

    Parameters
    ----------
    demand, seconds, units, kept, budget_s, wanted_gap
        As for `cover`.
    limit_s : float
        Does not steer the choice; only for the covered share that is reported.
    unreached_s : float, optional
        What a cell costs that no manned post reaches; twice the longest way by default.

    Returns
    -------
    CoverageResult

    Raises
    ------
    ValueError
        As for `cover`.

    References
    ----------
    .. [1] ReVelle, C. & Swain, R. (1970). Central facilities location. Geographical Analysis 2(1), 30-42.
    .. [2] Teitz, M. & Bart, P. (1968). Heuristic methods for estimating the generalized vertex median. Operations Research 16(5), 955-961.
    .. [3] Cornuejols, G., Fisher, M. & Nemhauser, G. (1977). Location of bank accounts to optimize float.
       Management Science 23(8), 789-810.

    Examples
    --------
    >>> import numpy as np
    >>> seconds = np.array([[0.0, 300.0, 900.0], [300.0, 0.0, 600.0], [900.0, 600.0, 0.0]])
    >>> found = p_median(np.array([1.0, 1.0, 1.0]), seconds, 1, limit_s=300)
    >>> found.posts, found.objective
    ((1,), 900.0)
    """
    began = time.perf_counter()
    case = case_of(demand, seconds, units, limit_s=limit_s, per_post=1, kept=kept, unreached_s=unreached_s, median=True)
    baseline = _greedy_median(case)
    if case.hopeless:
        return baseline
    costs = case.demand[:, None] * np.minimum(case.seconds, case.unreached_s)
    is_kept = np.zeros(costs.shape[1], dtype=bool)
    is_kept[list(case.kept)] = True
    posts = _exchange(costs, _filled(baseline.posts, costs, case.units), is_kept)
    found = _relax(costs, posts, is_kept, case.units, until=began + 0.6 * budget_s, close=CLOSED)
    bound, best, is_cut = found.bound, found.posts, False
    if _gap(found) > CLOSED:
        # Only choices better than the best known are looked for, so what the relaxation settled about those is settled.
        solved = _branch(case, costs, found, began, budget_s)
        if solved is not None:
            is_cut = solved.status == 1
            bound = max(bound, min(bound_of(solved, bound), found.cost)) if solved.status in (0, 1) else bound
            if solved.status == 2:  # nothing better is left
                bound = found.cost
            if solved.x is not None:
                theirs = tuple(int(post) for post in np.flatnonzero(solved.x[: costs.shape[1]] > 0.5))
                best = min(best, theirs, key=lambda chosen: _cost(costs, chosen))
        else:
            is_cut = _gap(found) > wanted_gap
    result = judged(case, P_MEDIAN, best, bound=min(bound, _cost(costs, best)), began=began, wanted_gap=wanted_gap)
    return replace(result, notes=result.notes + ((OUT_OF_TIME,) if is_cut and not result.is_proven else ()), greedy=baseline)


class _Relaxed(NamedTuple):
    """The best choice known and its cost; what none costs less than; posts a better one may, and those it must have."""

    posts: tuple[int, ...]
    cost: float
    bound: float
    may: BoolArray
    must: BoolArray


def _gap(found: _Relaxed) -> float:
    return (found.cost - found.bound) / (found.cost or 1.0)


def _cost(costs: FloatArray, posts: Sequence[int]) -> float:
    return float(costs[:, list(posts)].min(axis=1).sum())


def _filled(posts: Sequence[int], costs: FloatArray, units: int) -> tuple[int, ...]:
    """As many posts as units: one more never costs."""
    spare = [post for post in range(costs.shape[1]) if post not in posts]
    return (*posts, *spare[: units - len(posts)])


def _exchange(costs: FloatArray, posts: tuple[int, ...], is_kept: BoolArray) -> tuple[int, ...]:
    """Exchange one post for another as long as that helps, the best exchange first."""
    chosen = list(posts)
    n = len(costs)
    while True:
        own = costs[:, chosen]
        order = np.argsort(own, axis=1)[:, :2]
        near = order[:, 0]
        first = own[np.arange(n), near]
        second = own[np.arange(n), order[:, 1]] if len(chosen) > 1 else np.full(n, costs.max(initial=0.0))
        gain = np.maximum(first[:, None] - costs, 0).sum(axis=0)
        loses = np.maximum(np.minimum(second[:, None], costs) - first[:, None], 0)
        loss = np.zeros((len(chosen), costs.shape[1]))
        np.add.at(loss, near, loses)
        change = loss - gain[None, :]
        change[:, chosen] = np.inf
        change[is_kept[chosen]] = np.inf
        out, come = np.unravel_index(int(change.argmin()), change.shape)
        if not change[out, come] < -1e-9 * max(1.0, float(first.sum())):
            return tuple(chosen)
        chosen[int(out)] = int(come)


def _relax(costs: FloatArray, posts: tuple[int, ...], is_kept: BoolArray, units: int, *, until: float, close: float) -> _Relaxed:
    """Each cell may be served by none or by many, at a price; the prices are moved until they tell the true cost, nearly.

    A post whose taking (or leaving) alone lifts the bound above the best known cost is in no (in every) better choice.
    """
    best, cost = posts, _cost(costs, posts)
    m = costs.shape[1]
    prices = np.partition(costs, 1, axis=1)[:, 1] if m > 1 else costs[:, 0].copy()
    bound, step, stalled = -np.inf, 1.0, 0
    may, must = np.ones(m, dtype=bool), is_kept.copy()
    for _ in range(ROUNDS):
        cut = np.minimum(costs - prices[:, None], 0)
        worth = cut.sum(axis=0)
        ranked = np.argsort(np.where(must, -np.inf, np.where(may, worth, np.inf)), kind="stable")
        chosen = ranked[:units]
        value = float(prices.sum() + worth[chosen].sum())
        if value > bound + 1e-9 * abs(bound if np.isfinite(bound) else 1.0):
            bound, stalled = value, 0
            theirs = (
                _exchange(costs, tuple(int(post) for post in chosen), is_kept)
                if _cost(costs, [int(one) for one in chosen]) < 1.02 * cost
                else best
            )
            if _cost(costs, theirs) < cost:
                best, cost = theirs, _cost(costs, theirs)
        else:
            stalled += 1
        if units < m:
            lifted = value + worth - worth[chosen[-1]]
            dropped = value - worth + worth[ranked[units]]
            inside = np.zeros(m, dtype=bool)
            inside[chosen] = True
            may &= inside | ~(lifted > cost + 1e-9)
            must |= inside & (dropped > cost + 1e-9) & may
        if cost - bound <= close * cost or time.perf_counter() > until or step < 1e-4:
            break
        if stalled >= PATIENCE:
            step, stalled = step / 2, 0
        served = (cut[:, chosen] < 0).sum(axis=1)
        slope = 1.0 - served
        length = float((slope**2).sum())
        if not length:
            break
        prices = prices + step * max(cost - value, 1e-9) / length * slope
    return _Relaxed(best, cost, min(bound, cost), may, must)


def _branch(case: Case, costs: FloatArray, found: _Relaxed, began: float, budget_s: float) -> OptimizeResult | None:
    """The integer programme of what is still open; ``None`` where that is more than it could finish."""
    n, m = costs.shape
    open_posts = np.flatnonzero(found.may | found.must)
    left = max(int(case.units), 1)
    near = np.argsort(costs[:, open_posts], axis=1, kind="stable")[:, : max(len(open_posts) - left + 1, 1)]
    cell = np.repeat(np.arange(n), near.shape[1])
    post = open_posts[near.ravel()]
    useful = case.demand[cell] > 0
    cell, post = cell[useful], post[useful]
    if len(cell) > MOST_PAIRS or time.perf_counter() - began > 0.9 * budget_s:
        return None
    pairs, index = len(cell), np.arange(len(cell))
    columns = m + pairs
    demanding, row = np.unique(cell, return_inverse=True)
    once = sparse.coo_matrix((np.ones(pairs), (row, m + index)), (len(demanding), columns))
    manned = sparse.coo_matrix(
        (np.concatenate([np.ones(pairs), -np.ones(pairs)]), (np.concatenate([index, index]), np.concatenate([m + index, post]))),
        (pairs, columns),
    )
    lower, upper = np.zeros(columns), np.ones(columns)
    lower[:m], upper[:m] = found.must, found.may | found.must
    return milp(
        np.concatenate([np.zeros(m), costs[cell, post]]),
        constraints=[LinearConstraint(once.tocsr(), 1, 1), LinearConstraint(manned.tocsr(), -np.inf, 0), at_most(case, columns)],
        integrality=np.concatenate([np.ones(m), np.zeros(pairs)]),
        bounds=Bounds(lower, upper),
        options=options(began, budget_s),
    )


def _greedy_median(case: Case) -> CoverageResult:
    began = time.perf_counter()
    nearest = np.full(len(case.demand), case.unreached_s)
    posts: list[int] = []
    for number in range(case.units if case.seconds.size else 0):
        costs = case.demand @ np.minimum(nearest[:, None], case.seconds)
        costs[posts] = np.inf
        choice = case.kept[number] if number < len(case.kept) else int(costs.argmin())
        posts.append(choice)
        nearest = np.minimum(nearest, case.seconds[:, choice])
    least = np.minimum(case.seconds.min(axis=1, initial=np.inf), case.unreached_s)
    return judged(case, GREEDY, tuple(posts), bound=float((case.demand * least).sum()), began=began, wanted_gap=0.0)
