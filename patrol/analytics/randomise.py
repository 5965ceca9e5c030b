"""Which cells a trial studies, and which of them it holds out: chosen apart, drawn by lot within strata."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
LEAST_CELLS = 8  # fewer can be drawn in too few ways for any result to be rare


def choose_apart(columns: IntArray, rows: IntArray, values: FloatArray, *, count: int, buffer_cells: int) -> IntArray:
    """The numbers of up to ``count`` cells, the highest values first, so far apart that their buffer rings never meet.

    Two cells are kept if they are more than ``2 * buffer_cells`` columns or rows apart. Cells of value 0 are not chosen.

    Examples
    --------
    >>> import numpy as np
    >>> choose_apart(np.array([0, 1, 3, 9]), np.zeros(4, int), np.array([5.0, 9, 4, 0]), count=3, buffer_cells=1).tolist()
    [1]
    >>> choose_apart(np.array([0, 1, 3, 9]), np.zeros(4, int), np.array([9.0, 5, 4, 0]), count=3, buffer_cells=1).tolist()
    [0, 2]
    """
    apart = 2 * buffer_cells
    chosen: list[int] = []
    for at in np.lexsort((rows, columns, -values)).tolist():
        if values[at] <= 0 or len(chosen) >= count:
            break
        far = np.maximum(np.abs(columns[chosen] - columns[at]), np.abs(rows[chosen] - rows[at])) > apart
        if far.all():
            chosen.append(at)
    return np.array(chosen, dtype=np.int64)


def ring(columns: IntArray, rows: IntArray, *, buffer_cells: int) -> tuple[IntArray, IntArray, IntArray]:
    """Columns and rows of the cells around each cell, and the number of the cell each lies around."""
    steps = [(right, up) for right in range(-buffer_cells, buffer_cells + 1) for up in range(-buffer_cells, buffer_cells + 1)]
    steps = [step for step in steps if step != (0, 0)]
    right, up = (np.array(part, dtype=np.int64) for part in zip(*steps, strict=True)) if steps else (np.empty(0, np.int64),) * 2
    owner = np.repeat(np.arange(len(columns)), len(steps))
    return (columns[:, None] + right).ravel(), (rows[:, None] + up).ravel(), owner


@dataclass(frozen=True)
class Draw:
    """One row a cell, in the order given. Strata are numbered from 1, the quietest first."""

    stratum: IntArray
    is_control: BoolArray


def draw(columns: IntArray, rows: IntArray, counts: IntArray, *, strata: int, holdout_share: float, seed: int) -> Draw:
    """Hold out ``holdout_share`` of the cells by lot, within strata of like counts.

    Cells are put in order of their counts and cut into ``strata`` groups as equal as can be; of each, the cells whose lot is lowest are
    held out. A lot is the SHA-256 of ``seed:column:row``: anybody can draw again with nothing but the seed, on any machine.

    Parameters
    ----------
    counts : ndarray of int64
        Incidents before the trial.
    holdout_share : float
        Between 0 and 1. Every stratum keeps at least one cell in each arm.

    Raises
    ------
    ValueError
        For fewer than 8 cells, or strata of fewer than two cells.

    References
    ----------
    Weisburd & Gill (2014), Journal of Quantitative Criminology 30, 97-112: block randomised trials at places.

    Examples
    --------
    >>> import numpy as np
    >>> one = draw(np.arange(8) * 3, np.zeros(8, int), np.array([1, 1, 2, 2, 8, 8, 9, 9]), strata=2, holdout_share=0.5, seed=7)
    >>> one.stratum.tolist(), one.is_control.tolist()
    ([1, 1, 1, 1, 2, 2, 2, 2], [False, True, True, False, False, False, True, True])
    """
    size = len(columns)
    if size < LEAST_CELLS:
        raise ValueError(f"{size} cells are too few to draw from; {LEAST_CELLS} are the least.")
    if not 1 <= strata <= size // 2:
        raise ValueError(f"{size} cells make at most {size // 2} strata.")
    if not 0 < holdout_share < 1:
        raise ValueError("The share held out lies between 0 and 1.")
    lots = np.array([lot(seed, column, row) for column, row in zip(columns.tolist(), rows.tolist(), strict=True)])
    order = np.lexsort((rows, columns, counts))  # not by lot: within a stratum the lot alone decides
    stratum = np.empty(size, dtype=np.int64)
    is_control = np.zeros(size, dtype=bool)
    owed = 0.0  # what rounding took from one stratum goes to the next
    for number, group in enumerate(np.array_split(order, strata), start=1):
        stratum[group] = number
        wanted = len(group) * holdout_share + owed
        held = int(np.clip(round(wanted), 1, len(group) - 1))
        owed = wanted - held
        is_control[group[np.argsort(lots[group], kind="stable")[:held]]] = True
    return Draw(stratum, is_control)


def lot(seed: int, column: int, row: int) -> str:
    return hashlib.sha256(f"{seed}:{column}:{row}".encode()).hexdigest()


def redraws(stratum: IntArray, is_control: BoolArray, *, draws: int, rng: np.random.Generator) -> BoolArray:
    """``draws`` other ways the same draw could have come out: in each stratum as many are held out as were.

    Returns
    -------
    ndarray of bool, shape (draws, n)
        True where a cell is treated.
    """
    treated = np.ones((draws, len(stratum)), dtype=bool)
    for number in np.unique(stratum).tolist():
        here = np.flatnonzero(stratum == number)
        held = int(is_control[here].sum())
        ranks = rng.random((draws, len(here))).argsort(axis=1)
        treated[:, here] = ranks >= held
    return treated
