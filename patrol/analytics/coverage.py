"""Where to post units: as much demand as possible within reach (maximal covering), or the least mean time to it (p-median)."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from patrol.analytics.coverage_case import (
    BUDGET_S,
    GREEDY,
    KEPT_GREEDY,
    LARGEST,
    MAXIMAL_COVER,
    MORE_UNITS_THAN_POSTS,
    NO_CELLS,
    NO_DEMAND,
    NO_POSTS,
    NO_UNITS,
    OUT_OF_TIME,
    P_MEDIAN,
    PROVEN_GAP,
    UNREACHABLE_CELLS,
    BoolArray,
    Case,
    CoverageResult,
    FloatArray,
    at_most,
    bound_of,
    case_of,
    judged,
    keep_the_better,
    options,
    posts_of,
)
from patrol.analytics.p_median import p_median

__all__ = [
    "GREEDY",
    "KEPT_GREEDY",
    "LARGEST",
    "MAXIMAL_COVER",
    "MORE_UNITS_THAN_POSTS",
    "NO_CELLS",
    "NO_DEMAND",
    "NO_POSTS",
    "NO_UNITS",
    "OUT_OF_TIME",
    "P_MEDIAN",
    "UNREACHABLE_CELLS",
    "BoolArray",
    "CoverageResult",
    "FloatArray",
    "cover",
    "judge",
    "p_median",
]


def cover(
    demand: FloatArray,
    seconds: FloatArray,
    units: int,
    *,
    limit_s: float,
    per_post: int = 1,
    backup_weight: float = 0.0,
    kept: Sequence[int] = (),
    budget_s: float = BUDGET_S,
    wanted_gap: float = PROVEN_GAP,
) -> CoverageResult:
    """Posts that bring as much demand as possible within the limit of at least one unit.

    The maximal covering location problem [1]_; with a backup weight, demand that two units reach counts that much more (BACOP2 [2]_),
    which is when a second unit at one post can pay. Solved by branch and cut (HiGHS) within a time budget, with the gap it proved.

    Parameters
    ----------
    demand : float array, shape (n,)
        Weight of each cell, not negative.
    seconds : float array, shape (n, m)
        Travel time from post to cell; infinite where there is no way.
    units : int
        How many may be posted.
    limit_s : float
        A cell is covered by a post at most so many seconds away.
    per_post : int
        Most units at one post.
    backup_weight : float
        What demand covered twice is worth beside demand covered once, 0 to 1.
    kept : sequence of int
        Posts that must be manned whatever it costs.
    budget_s, wanted_gap : float
        Seconds the solver may take; the gap below which the result is called proven.

    Returns
    -------
    CoverageResult
        Without posts, units or demand: an empty result whose notes say so.

    Raises
    ------
    ValueError
        Shapes that do not fit, negative or undefined numbers, more kept posts than units, or an instance beyond `LARGEST`.

    References
    ----------
    .. [1] Church, R. & ReVelle, C. (1974). The maximal covering location problem. Papers of the RSA 32, 101-118.
    .. [2] Hogan, K. & ReVelle, C. (1986). Concepts and applications of backup coverage. Management Science 32(11), 1434-1444.

    Examples
    --------
    >>> import numpy as np
    >>> seconds = np.array([[60.0, 900.0], [120.0, 900.0], [900.0, 60.0]])
    >>> found = cover(np.array([1.0, 1.0, 3.0]), seconds, 1, limit_s=300)
    >>> found.posts, found.covered_share, found.is_proven
    ((1,), 0.6, True)
    """
    began = time.perf_counter()
    case = case_of(demand, seconds, units, limit_s=limit_s, per_post=per_post, kept=kept, backup_weight=backup_weight)
    baseline = _greedy_cover(case)
    if case.hopeless:
        return baseline
    n, m = case.seconds.shape
    reach = case.reach
    doubled = backup_weight > 0 and case.units > 1
    # Variables: units at each post, covered once, covered twice. Cover need not be whole numbers: the posts' make it so.
    parts = [reach.T, -sparse.eye(n)]
    gains = [np.zeros(m), -case.demand]
    if doubled:
        parts.append(-sparse.eye(n))
        gains.append(-backup_weight * case.demand)
    cost = np.concatenate(gains)
    rules = [LinearConstraint(sparse.hstack(parts).tocsr(), 0, np.inf), at_most(case, len(cost))]
    upper = np.concatenate([np.full(m, float(case.per_post)), np.ones(len(cost) - m)])
    whole = np.concatenate([np.ones(m), np.ones(len(cost) - m) if doubled else np.zeros(n)])
    solved = milp(cost, constraints=rules, integrality=whole, bounds=Bounds(case.lower(len(cost)), upper), options=options(began, budget_s))
    best = judged(case, MAXIMAL_COVER, posts_of(solved, m), bound=-bound_of(solved, -baseline.bound), began=began, wanted_gap=wanted_gap)
    return keep_the_better(best, baseline, solved, wanted_gap)


def judge(demand: FloatArray, seconds: FloatArray, posts: Sequence[int], *, limit_s: float, backup_weight: float = 0.0) -> CoverageResult:
    """The figures of posts somebody else chose (today's stations, say); nothing is proven about them.

    Examples
    --------
    >>> import numpy as np
    >>> judge(np.array([1.0, 3.0]), np.array([[60.0, 900.0], [900.0, 60.0]]), [0], limit_s=300).covered_share
    0.25
    """
    case = case_of(demand, seconds, len(posts), limit_s=limit_s, per_post=max(len(posts), 1), backup_weight=backup_weight)
    return judged(case, GREEDY, tuple(int(post) for post in posts), bound=np.inf, began=time.perf_counter(), wanted_gap=0.0)


def _greedy_cover(case: Case) -> CoverageResult:
    """One post after the other, each time the one that adds most; bound by its own guarantee, all of the demand."""
    began = time.perf_counter()
    within = case.seconds <= case.limit_s
    times = np.zeros(len(case.demand), dtype=int)
    room = np.full(case.seconds.shape[1], case.per_post)
    posts: list[int] = []
    for number in range(case.units):
        worth = case.demand * ((times == 0) + case.backup_weight * (times == 1))
        gains = np.where(room > 0, worth @ within, -1.0) if len(room) else np.empty(0)
        if number >= len(case.kept) and (not len(gains) or gains.max() <= 0):
            break
        choice = case.kept[number] if number < len(case.kept) else int(gains.argmax())
        posts.append(choice)
        room[choice] -= 1
        times += within[:, choice]
    reachable = float(case.demand[within.any(axis=1)].sum()) if within.size else 0.0
    return judged(case, GREEDY, tuple(posts), bound=reachable * (1 + case.backup_weight), began=began, wanted_gap=0.0)
