"""When a station empties: which unit to move where, so that the most demand stays within reach, or that no move helps."""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from patrol.analytics.coverage import BoolArray, FloatArray

NO_FREE_UNITS = "no_free_units"
NO_MOVE_HELPS = "no_move_helps"
NO_DEMAND = "no_demand"
OUT_OF_TIME = "out_of_time"


@dataclass(frozen=True)
class UnitAt:
    """A unit at a post (a column of the matrix). Only a free one may be moved; one that is not ``covers`` nothing, it is out on a call."""

    key: Hashable
    post: int
    is_free: bool = True
    covers: bool = True


@dataclass(frozen=True)
class Move:
    """One piece of advice, in the order to be carried out.

    Attributes
    ----------
    unit, from_post, to_post : hashable, int, int
    way_s : float
        How long the way takes.
    gains, leaves : float
        Share of the demand that comes within reach at the new post, and that goes out of reach at the old one.
    share_after : float
        Share covered once this move and those before it are made.
    """

    unit: Hashable
    from_post: int
    to_post: int
    way_s: float
    gains: float
    leaves: float
    share_after: float


@dataclass(frozen=True)
class MoveUp:
    """Advice, and the covered share before anything happened, as it is, and with all moves made.

    ``gap`` is how far the moves can be from the best ones, as a share of the demand.
    """

    before: float
    now: float
    after: float
    moves: tuple[Move, ...]
    notes: tuple[str, ...]
    gap: float
    seconds: float


def advise(
    demand: FloatArray,
    seconds: FloatArray,
    units: Sequence[UnitAt],
    between_posts: FloatArray,
    *,
    limit_s: float,
    most_moves: int = 2,
    longest_way_s: float = 1800.0,
    least_gain: float = 0.01,
    before: Sequence[int] | None = None,
    budget_s: float = 5.0,
) -> MoveUp:
    """The best moves of at most ``most_moves`` free units.

    A move-up problem as in [1]_, solved exactly: each move must bring at least ``least_gain`` of the demand, so that nobody is sent across
    town for nothing; among equal choices the shorter way is taken.

    Parameters
    ----------
    demand : float array, shape (n,)
    seconds : float array, shape (n, m)
        Travel time from post to cell; infinite where there is no way.
    units : sequence of UnitAt
        As things stand now.
    between_posts : float array, shape (m, m)
        Travel time from post to post.
    limit_s : float
        A cell is covered by a unit at most so far away.
    most_moves : int
    longest_way_s : float
        Nobody is moved further than that.
    least_gain : float
        Share of the demand.
    before : sequence of int, optional
        Posts that were manned before the station emptied; for the share before. By default all units at their posts.

    Raises
    ------
    ValueError
        Shapes that do not fit, or a post that is not there.

    References
    ----------
    .. [1] Gendreau, M., Laporte, G. & Semet, F. (2006). The maximal expected coverage relocation problem for emergency vehicles.
       J. of the Operational Research Society 57(1), 22-28.

    Examples
    --------
    >>> import numpy as np
    >>> seconds = np.array([[60.0, 900.0], [900.0, 60.0]])
    >>> found = advise(np.array([1.0, 3.0]), seconds, [UnitAt("A", 0)], np.array([[0.0, 800.0], [800.0, 0.0]]), limit_s=300)
    >>> [(move.unit, move.to_post) for move in found.moves], found.now, found.after
    ([('A', 1)], 0.25, 0.75)
    """
    began = time.perf_counter()
    demand, seconds = np.asarray(demand, dtype=float), np.asarray(seconds, dtype=float)
    n, m = seconds.shape if seconds.ndim == 2 else (-1, -1)
    if demand.shape != (n,) or np.shape(between_posts) != (m, m):
        raise ValueError(f"demand {demand.shape}, seconds {seconds.shape} and posts {np.shape(between_posts)} do not fit")
    if any(not 0 <= post < m for post in [*(unit.post for unit in units), *(before or ())]):
        raise ValueError("a unit stands at a post that is not there")
    between = np.asarray(between_posts, dtype=float)
    total = float(demand.sum())
    within = seconds <= limit_s
    standing = [unit.post for unit in units if unit.covers]
    was = _share(demand, within, before if before is not None else [unit.post for unit in units])
    now = _share(demand, within, standing)
    free = [number for number, unit in enumerate(units) if unit.is_free and unit.covers]
    for code, is_so in ((NO_DEMAND, total <= 0), (NO_FREE_UNITS, not free)):
        if is_so:
            return MoveUp(was, now, now, (), (code,), 0.0, time.perf_counter() - began)
    chosen, gap, cut = _choose(demand, within, units, free, between, most_moves, longest_way_s, least_gain, budget_s)
    moves = _in_order(demand, within, units, chosen, between)
    after = moves[-1].share_after if moves else now
    notes = (() if moves else (NO_MOVE_HELPS,)) + ((OUT_OF_TIME,) if cut else ())
    return MoveUp(was, now, after, moves, notes, gap, time.perf_counter() - began)


def _choose(
    demand: FloatArray,
    within: BoolArray,
    units: Sequence[UnitAt],
    free: Sequence[int],
    between: FloatArray,
    most_moves: int,
    longest_way_s: float,
    least_gain: float,
    budget_s: float,
) -> tuple[list[tuple[int, int]], float, bool]:
    """Which unit to which post; how far from the best, and whether time ran out."""
    n, m = within.shape
    total = float(demand.sum())
    options = [
        (unit, post) for unit in free for post in range(m) if post != units[unit].post and between[units[unit].post, post] <= longest_way_s
    ]
    if not options or most_moves < 1:
        return [], 0.0, False
    fixed = np.zeros(n)
    for one in units:
        if one.covers:
            fixed += within[:, one.post]
    # Columns: each possible move, then each cell covered. A move takes its unit's cover away at the old post and brings it to the new.
    shift = np.array([within[:, post].astype(float) - within[:, units[unit].post] for unit, post in options]).T
    cover = LinearConstraint(sparse.hstack([sparse.csr_matrix(-shift), sparse.eye(n)]).tocsr(), -np.inf, fixed)
    once = sparse.lil_matrix((len(free), len(options) + n))
    row = {unit: place for place, unit in enumerate(free)}
    for column, (mover, _) in enumerate(options):
        once[row[mover], column] = 1.0
    in_all = np.concatenate([np.ones(len(options)), np.zeros(n)])[None, :]
    ways = np.array([between[units[unit].post, post] for unit, post in options])
    price = least_gain * total + 1e-6 * total * ways / max(float(ways.max()), 1.0)
    solved = milp(
        np.concatenate([price, -demand]),
        constraints=[cover, LinearConstraint(once.tocsr(), 0, 1), LinearConstraint(in_all, 0, most_moves)],
        integrality=np.concatenate([np.ones(len(options)), np.zeros(n)]),
        bounds=Bounds(0, 1),
        options={"time_limit": budget_s, "mip_rel_gap": 1e-7},
    )
    if solved.x is None:
        return [], 1.0, True
    chosen = [option for option, taken in zip(options, solved.x, strict=False) if taken > 0.5]
    bound = getattr(solved, "mip_dual_bound", None)
    gap = max(0.0, float(solved.fun - bound) / total) if bound is not None and np.isfinite(bound) else 1.0
    return chosen, gap, solved.status == 1


def _in_order(
    demand: FloatArray, within: BoolArray, units: Sequence[UnitAt], chosen: list[tuple[int, int]], between: FloatArray
) -> tuple[Move, ...]:
    """The moves one after the other, each time the one that leaves most covered."""
    at = {number: unit.post for number, unit in enumerate(units) if unit.covers}
    waiting, moves = list(chosen), []
    while waiting:
        unit, post = max(waiting, key=lambda move: (_share(demand, within, list((at | {move[0]: move[1]}).values())), -move[0]))
        waiting.remove((unit, post))
        others = [where for number, where in at.items() if number != unit]
        bare = _share(demand, within, others)
        here, there = _share(demand, within, [*others, at[unit]]), _share(demand, within, [*others, post])
        moves.append(Move(units[unit].key, at[unit], post, float(between[at[unit], post]), there - bare, here - bare, there))
        at[unit] = post
    return tuple(moves)


def _share(demand: FloatArray, within: BoolArray, posts: Sequence[int]) -> float:
    total = float(demand.sum())
    return float(demand[within[:, list(posts)].any(axis=1)].sum()) / total if total and len(posts) else 0.0
