"""Where to post units: as much demand as possible within reach (maximal covering), or the least mean time to it (p-median)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, milp

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

MAXIMAL_COVER = "maximal_cover"
P_MEDIAN = "p_median"
GREEDY = "greedy"

# What a result may have to say besides its figures.
NO_POSTS = "no_posts"
NO_UNITS = "no_units"
NO_CELLS = "no_cells"
NO_DEMAND = "no_demand"
MORE_UNITS_THAN_POSTS = "more_units_than_posts"
UNREACHABLE_CELLS = "unreachable_cells"
OUT_OF_TIME = "out_of_time"
KEPT_GREEDY = "kept_greedy"

BUDGET_S = 10.0
PROVEN_GAP = 0.01
LARGEST = 2_000_000  # cells × posts; more than the solver should be handed on a common machine


@dataclass(frozen=True)
class CoverageResult:
    """Chosen posts, and how far from the best possible they can be.

    Attributes
    ----------
    method : str
        ``maximal_cover``, ``p_median`` or ``greedy``: who chose the posts.
    posts : tuple of int
        Column of each unit's post; a post with two units stands twice.
    objective, bound : float
        Maximal covering: demand covered (backup included), which no choice can bring above ``bound``.
        p-median: demand-weighted seconds to the nearest post, which no choice can bring below ``bound``.
    gap : float
        ``|bound - objective|`` over the objective (over 1 where it is 0); infinite where nothing is proven.
    is_proven : bool
        The gap is within the wanted one.
    seconds : float
        Time the solver took.
    cover : bool array, shape (n,)
        Whether a chosen post is within the limit.
    nearest_s : float array, shape (n,)
        Seconds from the nearest chosen post; infinite where none reaches the cell.
    covered_share : float
        Share of the demand within the limit, 0 to 1.
    backed_share : float
        Share of the demand that two units or more have within the limit.
    mean_s : float
        Demand-weighted mean of ``nearest_s`` over the cells that are reached; NaN where none is.
    unreachable : tuple of int
        Cells with demand that no candidate post reaches at all.
    notes : tuple of str
        Codes of this module's constants: what was wrong with the input, or cut short.
    greedy : CoverageResult or None
        The plain baseline on the same input.
    """

    method: str
    posts: tuple[int, ...]
    objective: float
    bound: float
    gap: float
    is_proven: bool
    seconds: float
    limit_s: float
    cover: BoolArray = field(repr=False)
    nearest_s: FloatArray = field(repr=False)
    covered_share: float
    backed_share: float
    mean_s: float
    unreachable: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    greedy: CoverageResult | None = field(default=None, repr=False)


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
    case = _case(demand, seconds, units, limit_s=limit_s, per_post=per_post, kept=kept, backup_weight=backup_weight)
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
    rules = [LinearConstraint(sparse.hstack(parts).tocsr(), 0, np.inf), _at_most(case, len(cost))]
    upper = np.concatenate([np.full(m, float(case.per_post)), np.ones(len(cost) - m)])
    whole = np.concatenate([np.ones(m), np.ones(len(cost) - m) if doubled else np.zeros(n)])
    solved = milp(
        cost, constraints=rules, integrality=whole, bounds=Bounds(case.lower(len(cost)), upper), options=_options(began, budget_s)
    )
    best = _judge(case, MAXIMAL_COVER, _posts_of(solved, m), bound=-_bound(solved, -baseline.bound), began=began, wanted_gap=wanted_gap)
    return _keep_the_better(best, baseline, solved, wanted_gap)


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

    The p-median problem [1]_. With p of m posts manned, the (m - p + 1) nearest of a cell always hold a manned one, so the others are
    left out: fewer variables, the same optimum.

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

    Examples
    --------
    >>> import numpy as np
    >>> seconds = np.array([[0.0, 300.0, 900.0], [300.0, 0.0, 600.0], [900.0, 600.0, 0.0]])
    >>> found = p_median(np.array([1.0, 1.0, 1.0]), seconds, 1, limit_s=300)
    >>> found.posts, found.objective
    ((1,), 900.0)
    """
    began = time.perf_counter()
    case = _case(demand, seconds, units, limit_s=limit_s, per_post=1, kept=kept, unreached_s=unreached_s, median=True)
    baseline = _greedy_median(case)
    if case.hopeless:
        return baseline
    n, m = case.seconds.shape
    cell, post = _pairs_that_matter(case)
    pairs = len(cell)
    columns = m + pairs + n  # posts manned, cell served by post, cell served by nobody
    index = np.arange(pairs)
    once = sparse.coo_matrix(
        (np.ones(pairs + n), (np.concatenate([cell, np.arange(n)]), np.concatenate([m + index, m + pairs + np.arange(n)]))), (n, columns)
    )
    only_manned = sparse.coo_matrix(
        (np.concatenate([np.ones(pairs), -np.ones(pairs)]), (np.concatenate([index, index]), np.concatenate([m + index, post]))),
        (pairs, columns),
    )
    cost = np.concatenate([np.zeros(m), case.demand[cell] * case.seconds[cell, post], case.demand * case.unreached_s])
    rules = [LinearConstraint(once.tocsr(), 1, 1), LinearConstraint(only_manned.tocsr(), -np.inf, 0), _at_most(case, columns)]
    whole = np.concatenate([np.ones(m), np.zeros(columns - m)])
    solved = milp(cost, constraints=rules, integrality=whole, bounds=Bounds(case.lower(columns), 1.0), options=_options(began, budget_s))
    best = _judge(case, P_MEDIAN, _posts_of(solved, m), bound=_bound(solved, baseline.bound), began=began, wanted_gap=wanted_gap)
    return _keep_the_better(best, baseline, solved, wanted_gap)


def judge(demand: FloatArray, seconds: FloatArray, posts: Sequence[int], *, limit_s: float, backup_weight: float = 0.0) -> CoverageResult:
    """The figures of posts somebody else chose (today's stations, say); nothing is proven about them.

    Examples
    --------
    >>> import numpy as np
    >>> judge(np.array([1.0, 3.0]), np.array([[60.0, 900.0], [900.0, 60.0]]), [0], limit_s=300).covered_share
    0.25
    """
    case = _case(demand, seconds, len(posts), limit_s=limit_s, per_post=max(len(posts), 1), backup_weight=backup_weight)
    return _judge(case, GREEDY, tuple(int(post) for post in posts), bound=np.inf, began=time.perf_counter(), wanted_gap=0.0)


@dataclass(frozen=True)
class _Case:
    """A checked instance; cells without demand stay in, for they are reported."""

    demand: FloatArray
    seconds: FloatArray
    units: int
    limit_s: float
    per_post: int
    backup_weight: float
    kept: tuple[int, ...]
    unreached_s: float
    unreachable: tuple[int, ...]
    notes: tuple[str, ...]
    hopeless: bool
    median: bool

    @property
    def reach(self) -> sparse.csc_matrix:
        """1 where the post (row) covers the cell (column)."""
        return sparse.csc_matrix((self.seconds <= self.limit_s).T.astype(float))

    def lower(self, columns: int) -> FloatArray:
        bounds = np.zeros(columns)
        np.add.at(bounds, list(self.kept), 1.0)
        return bounds


def _case(
    demand: FloatArray,
    seconds: FloatArray,
    units: int,
    *,
    limit_s: float,
    per_post: int,
    kept: Sequence[int] = (),
    backup_weight: float = 0.0,
    unreached_s: float | None = None,
    median: bool = False,
) -> _Case:
    demand, seconds = np.asarray(demand, dtype=float), np.asarray(seconds, dtype=float)
    if demand.ndim != 1 or seconds.ndim != 2 or seconds.shape[0] != len(demand):
        raise ValueError(f"demand has shape {demand.shape}, seconds {seconds.shape}: expected (n,) and (n, m)")
    if seconds.size > LARGEST:
        raise ValueError(f"{len(demand)} cells × {seconds.shape[1]} posts is more than {LARGEST:,} ways")
    if not np.isfinite(demand).all() or (demand < 0).any():
        raise ValueError("demand is finite and not negative")
    if np.isnan(seconds).any() or (seconds < 0).any():
        raise ValueError("seconds are not negative; infinite where there is no way")
    if units < 0 or per_post < 1 or not limit_s > 0 or not 0 <= backup_weight <= 1:
        raise ValueError("units is not negative, per_post at least 1, limit_s above 0, backup_weight 0 to 1")
    m = seconds.shape[1]
    if any(not 0 <= post < m or list(kept).count(post) > per_post for post in kept) or len(kept) > units:
        raise ValueError("kept posts are columns of seconds, no more than the units and than a post holds")
    notes = [
        code
        for code, is_so in ((NO_CELLS, not len(demand)), (NO_POSTS, m == 0), (NO_UNITS, units == 0), (NO_DEMAND, not demand.any()))
        if is_so
    ]
    hopeless = bool(notes)
    if m and units > m * per_post:
        notes.append(MORE_UNITS_THAN_POSTS)
        units = m * per_post
    reached = np.isfinite(seconds).any(axis=1) if m else np.zeros(len(demand), dtype=bool)
    unreachable = tuple(int(cell) for cell in np.flatnonzero(~reached & (demand > 0)))
    if unreachable and m:
        notes.append(UNREACHABLE_CELLS)
    finite = seconds[np.isfinite(seconds)]
    longest = 2 * float(finite.max(initial=1.0))
    return _Case(
        demand,
        seconds,
        units,
        limit_s,
        per_post,
        backup_weight,
        tuple(int(post) for post in kept),
        longest if unreached_s is None else unreached_s,
        unreachable,
        tuple(notes),
        hopeless,
        median,
    )


def _judge(case: _Case, method: str, posts: tuple[int, ...], *, bound: float, began: float, wanted_gap: float) -> CoverageResult:
    at = case.seconds[:, list(posts)] if posts else np.full((len(case.demand), 1), np.inf)
    nearest = at.min(axis=1)
    times = (at <= case.limit_s).sum(axis=1)
    total = float(case.demand.sum())
    covered, backed = float(case.demand[times >= 1].sum()), float(case.demand[times >= 2].sum())
    reached = np.isfinite(nearest) & (case.demand > 0)
    mean = float(np.average(nearest[reached], weights=case.demand[reached])) if reached.any() else float("nan")
    objective = covered + case.backup_weight * backed
    if case.median:
        objective = float((case.demand * np.where(np.isfinite(nearest), nearest, case.unreached_s)).sum())
    gap = abs(bound - objective) / (abs(objective) or 1.0) if np.isfinite(bound) else np.inf
    return CoverageResult(
        method=method,
        posts=tuple(sorted(posts)),
        objective=objective,
        bound=bound,
        gap=float(gap),
        is_proven=bool(gap <= wanted_gap),
        seconds=time.perf_counter() - began,
        limit_s=case.limit_s,
        cover=times >= 1,
        nearest_s=nearest,
        covered_share=covered / total if total else 0.0,
        backed_share=backed / total if total else 0.0,
        mean_s=mean,
        unreachable=case.unreachable,
        notes=case.notes,
    )


def _keep_the_better(best: CoverageResult, baseline: CoverageResult, solved: OptimizeResult, wanted_gap: float) -> CoverageResult:
    """What the solver found, or the baseline where time ran out before it found better; the proven bound holds for either."""
    notes = best.notes + ((OUT_OF_TIME,) if solved.status == 1 else ())
    worse = best.objective > baseline.objective if best.method == P_MEDIAN else best.objective < baseline.objective
    if not best.posts or worse:
        gap = abs(best.bound - baseline.objective) / (abs(baseline.objective) or 1.0) if np.isfinite(best.bound) else np.inf
        return replace(
            baseline,
            bound=best.bound,
            gap=float(gap),
            is_proven=bool(gap <= wanted_gap),
            seconds=best.seconds,
            notes=(*notes, KEPT_GREEDY),
            greedy=baseline,
        )
    return replace(best, notes=notes, greedy=baseline)


def _at_most(case: _Case, columns: int) -> LinearConstraint:
    posts = case.seconds.shape[1]
    return LinearConstraint(np.concatenate([np.ones(posts), np.zeros(columns - posts)])[None, :], 0, case.units)


def _options(began: float, budget_s: float) -> dict[str, float | bool]:
    return {"time_limit": max(budget_s - (time.perf_counter() - began), 0.05), "mip_rel_gap": 1e-4, "presolve": True}


def _posts_of(solved: OptimizeResult, posts: int) -> tuple[int, ...]:
    if solved.x is None:
        return ()
    manned = np.rint(solved.x[:posts]).astype(int)
    return tuple(int(post) for post in np.repeat(np.arange(posts), manned))


def _bound(solved: OptimizeResult, otherwise: float) -> float:
    proved = getattr(solved, "mip_dual_bound", None)
    return float(proved) if proved is not None and np.isfinite(proved) else otherwise


def _pairs_that_matter(case: _Case) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    m = case.seconds.shape[1]
    nearest = np.argsort(case.seconds, axis=1, kind="stable")[:, : m - case.units + 1]
    cell = np.repeat(np.arange(len(case.demand)), nearest.shape[1])
    post = nearest.ravel()
    useful = (case.seconds[cell, post] < case.unreached_s) & (case.demand[cell] > 0)
    return cell[useful], post[useful]


def _greedy_cover(case: _Case) -> CoverageResult:
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
    return _judge(case, GREEDY, tuple(posts), bound=reachable * (1 + case.backup_weight), began=began, wanted_gap=0.0)


def _greedy_median(case: _Case) -> CoverageResult:
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
    return _judge(case, GREEDY, tuple(posts), bound=float((case.demand * least).sum()), began=began, wanted_gap=0.0)
