"""Which cells are handed to patrol: the riskiest, never the same ones without end, and some by chance so that effect can be measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FloatArray = NDArray[np.float64]
_IntArray = NDArray[np.int64]

RISK, EXPLORE = "risk", "explore"


@dataclass(frozen=True)
class Rule:
    """How a list is drawn up.

    Attributes
    ----------
    cells : int
        Length of the list.
    cap, of_last : int
        Exposure cap: a cell is on at most ``cap`` of any ``of_last`` shifts in a row, this one included.
    explore_share : float
        The share of the list drawn by chance from cells that are not among the riskiest; rounded to whole cells.
    """

    cells: int = 20
    cap: int = 14
    of_last: int = 21
    explore_share: float = 0.1

    def __post_init__(self) -> None:
        if self.cells < 1 or not 0 < self.cap <= self.of_last or not 0 <= self.explore_share <= 1:
            raise ValueError(f"No list can be drawn up by {self}.")

    @property
    def explored(self) -> int:
        return int(np.floor(self.explore_share * self.cells + 0.5))


@dataclass(frozen=True)
class Choice:
    """The list: places in the columns given, the riskiest first, then those drawn by chance.

    Attributes
    ----------
    cells : ndarray of int64, shape (k,)
    is_explored : ndarray of bool, shape (k,)
    probabilities : ndarray of float64, shape (k,)
        How likely each cell was to be on this list before the draw: 1 for the riskiest. Needed to measure effect later
        (Horvitz, Thompson 1952).
    capped, suppressed : int
        How many of the riskiest cells the cap, and people, kept off the list.
    """

    cells: _IntArray
    is_explored: NDArray[np.bool_]
    probabilities: _FloatArray
    capped: int
    suppressed: int

    @property
    def reasons(self) -> list[str]:
        return [EXPLORE if by_chance else RISK for by_chance in self.is_explored]


def choose_cells(risk: _FloatArray, recent: _IntArray, suppressed: NDArray[np.bool_], *, rule: Rule, seed: int) -> Choice:
    """Draw up one shift's list.

    Parameters
    ----------
    risk : ndarray of float64, shape (n,)
        Higher is riskier. Not finite counts as none.
    recent : ndarray of int64, shape (n,)
        On how many of the last ``rule.of_last - 1`` shifts each cell was handed out.
    suppressed : ndarray of bool, shape (n,)
        Taken out by people.
    rule : Rule
    seed : int
        The same seed and columns give the same list.

    Returns
    -------
    Choice
        Shorter than ``rule.cells`` where too few cells may be handed out; never longer.

    Raises
    ------
    ValueError
        For columns of different lengths.

    Notes
    -----
    Cells drawn by chance are never among the riskiest that are not suppressed (whether the cap holds those back or not). They are
    drawn by systematic sampling with unequal probabilities (Madow 1949), half of the weight even over the cells and half by risk.

    Examples
    --------
    >>> import numpy as np
    >>> risk = np.array([5.0, 4, 3, 2, 1, 1, 1, 1])
    >>> chosen = choose_cells(risk, np.array([2, 0, 0, 0, 0, 0, 0, 0]), np.zeros(8, bool), rule=Rule(4, 2, 3, 0.25), seed=7)
    >>> chosen.cells[:3].tolist(), chosen.reasons, chosen.capped
    ([1, 2, 3], ['risk', 'risk', 'risk', 'explore'], 1)
    """
    risk, recent, suppressed = np.asarray(risk, np.float64), np.asarray(recent, np.int64), np.asarray(suppressed, bool)
    if not risk.shape == recent.shape == suppressed.shape or risk.ndim != 1:
        raise ValueError("Risk, recent shifts and suppressed cells must be columns of one length.")
    rng = np.random.default_rng(seed)
    level = np.where(np.isfinite(risk), np.maximum(risk, 0.0), 0.0)
    # Equal risks are put in order by the seed, not by where they lie.
    ranked = np.lexsort((rng.random(len(level)), -level))
    held = recent >= rule.cap
    wanted = ranked[: rule.cells]
    allowed = ranked[~suppressed[ranked] & ~held[ranked]]
    by_risk = allowed[: rule.cells - rule.explored]
    top = ranked[~suppressed[ranked]][: rule.cells]
    rest = np.setdiff1d(allowed[len(by_risk) :], top)
    by_chance, chances = _drawn(rest, level, rule.explored, rng)
    return Choice(
        cells=np.concatenate([by_risk, by_chance]).astype(np.int64),
        is_explored=np.arange(len(by_risk) + len(by_chance)) >= len(by_risk),
        probabilities=np.concatenate([np.ones(len(by_risk)), chances]),
        capped=int((held[wanted] & ~suppressed[wanted]).sum()),
        suppressed=int(suppressed[wanted].sum()),
    )


def _drawn(among: _IntArray, level: _FloatArray, count: int, rng: np.random.Generator) -> tuple[_IntArray, _FloatArray]:
    """``count`` of the cells ``among``, each with a probability known beforehand."""
    count = min(count, len(among))
    if not count:
        return np.empty(0, np.int64), np.empty(0)
    among = rng.permutation(among)
    chances = _inclusion(0.5 / len(among) + 0.5 * _shares(level[among]), count)
    # One random start, steps of one along the heaped-up probabilities.
    heaped = np.cumsum(chances)
    heaped *= count / heaped[-1]
    marks = rng.random() + np.arange(count)
    picked = np.unique(np.minimum(np.searchsorted(heaped, marks, side="right"), len(among) - 1))
    return among[picked], chances[picked]


def _shares(level: _FloatArray) -> _FloatArray:
    total = float(level.sum())
    return level / total if total > 0 else np.full(len(level), 1 / len(level))


def _inclusion(weights: _FloatArray, count: int) -> _FloatArray:
    """Probabilities by weight that add up to ``count``, none above 1."""
    sure = np.zeros(len(weights), bool)
    while True:
        left = count - int(sure.sum())
        chances = np.where(sure, 1.0, left * weights / weights[~sure].sum() if (~sure).any() else 1.0)
        over = ~sure & (chances >= 1)
        if not over.any():
            return chances
        sure |= over
