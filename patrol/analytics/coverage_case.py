"""A coverage question, checked, and the figures of an answer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import LinearConstraint, OptimizeResult

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


@dataclass(frozen=True)
class Case:
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


def case_of(
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
) -> Case:
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
    return Case(
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


def judged(case: Case, method: str, posts: tuple[int, ...], *, bound: float, began: float, wanted_gap: float) -> CoverageResult:
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


def keep_the_better(best: CoverageResult, baseline: CoverageResult, solved: OptimizeResult, wanted_gap: float) -> CoverageResult:
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


def at_most(case: Case, columns: int) -> LinearConstraint:
    posts = case.seconds.shape[1]
    return LinearConstraint(np.concatenate([np.ones(posts), np.zeros(columns - posts)])[None, :], 0, case.units)


def options(began: float, budget_s: float) -> dict[str, float | bool]:
    return {"time_limit": max(budget_s - (time.perf_counter() - began), 0.05), "mip_rel_gap": 1e-4, "presolve": True}


def posts_of(solved: OptimizeResult, posts: int) -> tuple[int, ...]:
    if solved.x is None:
        return ()
    manned = np.rint(solved.x[:posts]).astype(int)
    return tuple(int(post) for post in np.repeat(np.arange(posts), manned))


def bound_of(solved: OptimizeResult, otherwise: float) -> float:
    proved = getattr(solved, "mip_dual_bound", None)
    return float(proved) if proved is not None and np.isfinite(proved) else otherwise
