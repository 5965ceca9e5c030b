"""Kernel density: incidents per km² at the middle of each cell, smoothed, with what lies beyond the land's edge made up for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from incidents.analytics.grid import Cells, FloatArray, columns_and_rows

_FINE = 20  # a cell is cut so finely each way to know how much of the kernel it holds


@dataclass(frozen=True)
class Density:
    """``per_km2``, shape (n,), and the share of each kernel that lies on ``ground`` (what it was divided by)."""

    per_km2: FloatArray
    on_ground: FloatArray


def density(cells: Cells, xy_m: FloatArray, *, bandwidth_m: float, ground: Cells) -> Density:
    """Incidents per km² around the centre of each cell.

    The kernel is the quartic one, ``3 / (π h²) (1 − d²/h²)²`` within the bandwidth ``h`` and nothing beyond: exact, from the points
    themselves and not from counts of cells.

    Parameters
    ----------
    cells : Cells
        Where to say it.
    xy_m : ndarray of float64, shape (p, 2)
        The incidents.
    bandwidth_m : float
        ``h`` in metres, at least half a cell.
    ground : Cells
        Where incidents can lie at all, at least every cell within the bandwidth of ``cells`` that is not sea or abroad. A place whose
        kernel lies half on water is divided by the half that does not (uniform edge correction).

    Raises
    ------
    ValueError
        For coordinates that are not finite, a bandwidth below half a cell, or a ground with cells of another size.

    References
    ----------
    Silverman (1986), Density Estimation, 4.2; Diggle (1985), J. R. Stat. Soc. C 34, 138-147 for the edge.

    Examples
    --------
    >>> import numpy as np
    >>> cells = Cells.of(np.array([0]), np.array([0]), 250.0)
    >>> found = density(cells, np.array([[125.0, 125.0]]), bandwidth_m=500, ground=cells.around(3))
    >>> round(float(found.per_km2[0]), 3), round(float(found.on_ground[0]), 3)
    (3.82, 1.0)
    """
    side = cells.cell_m
    if not (np.isfinite(bandwidth_m) and bandwidth_m >= side / 2):
        raise ValueError(f"The bandwidth must be at least half a cell ({side / 2:g} m), not {bandwidth_m}.")
    if ground.cell_m != side:
        raise ValueError("The ground has cells of another size.")
    points = np.asarray(xy_m, dtype=np.float64).reshape(-1, 2)
    columns, rows = columns_and_rows(points, side)
    inside = points / side - np.stack([columns, rows], axis=1) - 0.5  # from the middle of its own cell, in cells
    total, on_ground = np.zeros(len(cells)), np.zeros(len(cells))
    reach = int(np.ceil(bandwidth_m / side + 0.5))
    fine = (np.arange(_FINE) + 0.5) / _FINE - 0.5
    fine_x, fine_y = (grid.ravel() for grid in np.meshgrid(fine, fine))
    shares = []
    for right in range(-reach, reach + 1):
        for up in range(-reach, reach + 1):
            # What each point gives to the cell so many columns to the right and rows up of its own.
            weight = _quartic((right - inside[:, 0]) ** 2 + (up - inside[:, 1]) ** 2, bandwidth_m / side)
            near = np.flatnonzero(weight)
            at = cells.find(columns[near] + right, rows[near] + up)
            kept = at >= 0
            total += np.bincount(at[kept], weights=weight[near][kept], minlength=len(cells))
            share = float(_quartic((right - fine_x) ** 2 + (up - fine_y) ** 2, bandwidth_m / side).mean())
            if share:
                shares.append(share)
                on_ground += share * (ground.find(cells.columns + right, cells.rows + up) >= 0)
    on_ground /= sum(shares)
    per_km2 = np.zeros(len(cells))
    np.divide(total * 1e6 / side**2, on_ground, out=per_km2, where=on_ground > 0)
    return Density(per_km2, on_ground)


def _quartic(squared: FloatArray, bandwidth: float) -> FloatArray:
    """The kernel at a squared distance, all in cells."""
    return 3 / (np.pi * bandwidth**2) * np.clip(1 - squared / bandwidth**2, 0, None) ** 2
