"""How fairly something is shared out beside what it is needed for. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def ratios(supply: Sequence[float], demand: Sequence[float | None]) -> list[float | None]:
    """Each place's share of the supply over its share of the demand; 1 is the mean of all, ``None`` where the demand is unknown or nil.

    >>> ratios([30, 10], [100, 100])
    [1.5, 0.5]
    """
    known = [number for number, need in enumerate(demand) if need is not None]
    whole_supply = sum(supply[number] for number in known)
    whole_demand = sum(demand[number] or 0 for number in known)
    if whole_supply <= 0 or whole_demand <= 0:
        return [None] * len(supply)
    return [
        (have / whole_supply) / (need / whole_demand) if need is not None and need > 0 else None
        for have, need in zip(supply, demand, strict=True)
    ]


def gini(supply: Sequence[float], demand: Sequence[float | None]) -> float | None:
    """Gini coefficient of the supply for one unit of demand, each place weighing as much as its demand: 0 is even, towards 1 one place
    has it all. ``None`` with fewer than two places to compare.

    Twice the area between the diagonal and the Lorenz curve, by trapezoids over places in the order of supply for demand.

    >>> gini([10, 10], [1, 1])
    0.0
    >>> gini([20, 0], [1, 1])
    0.5
    """
    pairs = [(have, need) for have, need in zip(supply, demand, strict=True) if need is not None and need > 0]
    whole_supply, whole_demand = sum(have for have, _need in pairs), sum(need for _have, need in pairs)
    if len(pairs) < 2 or whole_supply <= 0:
        return None
    below = area = 0.0
    for have, need in sorted(pairs, key=lambda pair: pair[0] / pair[1]):
        share = have / whole_supply
        area += (need / whole_demand) * (2 * below + share)
        below += share
    return max(1.0 - area, 0.0)


def to_move(supply: Sequence[float], demand: Sequence[float | None]) -> float | None:
    """How much would have to change places for the supply to follow the demand.

    >>> to_move([30, 10], [100, 100])
    10.0
    """
    pairs = [(have, need) for have, need in zip(supply, demand, strict=True) if need is not None]
    whole_supply, whole_demand = sum(have for have, _need in pairs), sum(need for _have, need in pairs)
    if len(pairs) < 2 or whole_supply <= 0 or whole_demand <= 0:
        return None
    return sum(max(have - whole_supply * need / whole_demand, 0.0) for have, need in pairs)
