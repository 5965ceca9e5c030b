"""What calls can expect of units that are sometimes busy: how long until one is there, how much of their time is taken, who waits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Expected:
    """Of calls that fall as ``demand`` does.

    Attributes
    ----------
    mean_s, p90_s : float
        Travel time of the unit that is sent; NaN where there is no unit or no demand.
    covered_share : float
        Share of the calls that a free unit reaches within the limit.
    busy_share : float
        Share of the units' time that calls take; 1 and more: they never catch up.
    waits : float
        Probability that a call finds every unit busy (Erlang's C formula).
    """

    mean_s: float
    p90_s: float
    covered_share: float
    busy_share: float
    waits: float


def expect(demand: _FloatArray, seconds: _FloatArray, *, calls_an_hour: float, service_s: float, limit_s: float) -> Expected:
    """What to expect of units at given places.

    Each unit is taken to be busy with the same probability, whatever the others do; the nearest free one is sent. That is the first
    approximation to the hypercube queueing model [1]_: good for comparing two arrangements, not for promising a time.

    Parameters
    ----------
    demand : ndarray of float64, shape (n,)
        How calls fall on the cells.
    seconds : ndarray of float64, shape (n, units)
        Travel time from each unit's place to each cell; infinite where there is no way.
    calls_an_hour, service_s : float
        How many calls there are in all, and how long one takes a unit, driving included.
    limit_s : float

    References
    ----------
    .. [1] Larson, R. C. (1975). Approximating the performance of urban emergency service systems. Operations Research 23(5), 845-868.

    Examples
    --------
    >>> import numpy as np
    >>> one = expect(np.array([1.0]), np.array([[60.0, 600.0]]), calls_an_hour=0.0, service_s=1800, limit_s=300)
    >>> one.mean_s, one.covered_share, one.busy_share
    (60.0, 1.0, 0.0)
    """
    demand, seconds = np.asarray(demand, np.float64), np.asarray(seconds, np.float64)
    if seconds.ndim != 2 or seconds.shape[0] != len(demand) or calls_an_hour < 0 or service_s <= 0:
        raise ValueError("seconds are of shape (n, units); calls are not negative, a call takes some time")
    units = seconds.shape[1]
    total = float(demand.sum())
    load = calls_an_hour * service_s / 3600
    if not units or total <= 0:
        return Expected(math.nan, math.nan, 0.0, math.inf if load and not units else 0.0, 1.0 if not units else 0.0)
    busy = load / units
    rho = min(busy, 0.99)
    near = np.sort(seconds, axis=1)
    chance = (1 - rho) * rho ** np.arange(units)
    chance[-1] += rho**units  # all busy: the last one that comes free
    weight = demand[:, None] * chance[None, :] / total
    reached = np.isfinite(near)
    times, weights = near[reached], weight[reached]
    order = np.argsort(times, kind="stable")
    times, weights = times[order], weights[order]
    heaped = np.cumsum(weights)
    return Expected(
        mean_s=float(np.average(times, weights=weights)) if heaped.size and heaped[-1] > 0 else math.nan,
        p90_s=float(times[min(np.searchsorted(heaped, 0.9 * heaped[-1]), len(times) - 1)]) if heaped.size else math.nan,
        covered_share=float((weight * (near <= limit_s)).sum()),
        busy_share=busy,
        waits=erlang_c(load, units),
    )


def erlang_c(load: float, units: int) -> float:
    """Probability that a call waits, with ``load`` hours of work arriving an hour for so many units.

    Examples
    --------
    >>> round(erlang_c(1.0, 2), 3), erlang_c(2.0, 2)
    (0.333, 1.0)
    """
    if units < 1 or load >= units:
        return 1.0
    blocked = 1.0
    for n in range(1, units + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked / (1 - (load / units) * (1 - blocked))
