"""What becomes of patrol when it learns from what it finds: a simulation, to show that our rule does not chase its own tail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from incidents.analytics.handover import Rule, choose_cells

_FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """Districts that are told apart only by how much truly happens in each.

    Attributes
    ----------
    rates : tuple of float
        Incidents a day, truly.
    reported : float
        The share the public reports, wherever patrol is.
    found : float
        The share of the rest that a patrol meets where it is.
    """

    rates: tuple[float, ...] = (11.0, 10.0, 9.0)
    reported: float = 0.4
    found: float = 0.5

    @property
    def shares(self) -> _FloatArray:
        rates = np.asarray(self.rates)
        return rates / rates.sum()


def patrol_shares(
    world: World, *, days: int, runs: int, seed: int, learns_from_found: bool, explore_share: float = 0.0, memory_days: int = 365
) -> _FloatArray:
    """Patrol's shares of its time by district, day by day: each day in proportion to what was learnt up to then.

    Parameters
    ----------
    learns_from_found : bool
        True: the loop of Ensign et al.: one patrol goes where the record points, and only what happens where it is, reported or met,
        enters the record. False (ours): what the public reports enters it, wherever patrol is, and nothing else.
    explore_share : float
        The share of patrol spread evenly, whatever was learnt.
    memory_days : int
        How long a day's incidents are remembered.

    Returns
    -------
    ndarray of float64, shape (runs, days, districts)

    References
    ----------
    Ensign, Friedler, Neville, Scheidegger, Venkatasubramanian (2018), Runaway Feedback Loops in Predictive Policing, PMLR 81.

    Examples
    --------
    >>> shares = patrol_shares(World(), days=30, runs=2, seed=1, learns_from_found=False)
    >>> shares.shape, bool(abs(shares.sum(axis=2) - 1).max() < 1e-9)
    ((2, 30, 3), True)
    """
    rng = np.random.default_rng(seed)
    rates = np.asarray(world.rates)
    learnt = np.ones((runs, len(rates)))
    past = np.zeros((memory_days, runs, len(rates)))
    shares = np.empty((runs, days, len(rates)))
    for day in range(days):
        share = (1 - explore_share) * learnt / learnt.sum(axis=1, keepdims=True) + explore_share / len(rates)
        shares[:, day] = share
        happened = rng.poisson(rates, (runs, len(rates)))
        reported = rng.binomial(happened, world.reported)
        if learns_from_found:
            # One patrol: where it goes today is drawn, and what is recorded is what it meets there.
            at = (rng.random((runs, 1)) > np.cumsum(share, axis=1)[:, :-1]).sum(axis=1)
            there = np.arange(len(rates)) == at[:, None]
            known = np.where(there, reported + rng.binomial(happened - reported, world.found), 0)
        else:
            known = reported
        slot = day % memory_days
        learnt += known - past[slot]
        past[slot] = known
        learnt = np.maximum(learnt, 1e-9)
    return shares


@dataclass(frozen=True)
class Lists:
    """What a year of lists came to, cell by cell."""

    rates: _FloatArray
    visits: _FloatArray

    @property
    def never_seen(self) -> float:
        """The share of the cells that no list ever named."""
        return float((self.visits == 0).mean())

    @property
    def twin_gap(self) -> float:
        """Cells come in pairs of one true rate: the mean share of a pair's visits by which one is ahead. 0: alike; 1: one has all."""
        first, second = self.visits[0::2], self.visits[1::2]
        both = first + second
        seen = both > 0
        return float((np.abs(first - second)[seen] / both[seen]).mean()) if seen.any() else 0.0


def year_of_lists(
    *,
    pairs: int = 60,
    shifts: int = 1095,
    rule: Rule,
    learns_from_found: bool,
    seed: int,
    found_a_visit: float = 0.3,
    told: float = 0.4,
) -> Lists:
    """Draw up each shift's list with the very rule patrol's lists are drawn up with, from what was learnt before.

    Cells come in pairs with one true rate, so that whatever keeps one of a pair ahead is chance that was fed back.

    Examples
    --------
    >>> lists = year_of_lists(pairs=10, shifts=60, rule=Rule(4, 8, 10, 0.25), learns_from_found=False, seed=3)
    >>> int(lists.visits.sum())
    240
    """
    rng = np.random.default_rng(seed)
    rates = np.repeat(rng.gamma(1.2, 0.08, pairs), 2)
    learnt = rng.poisson(rates * 90 * told).astype(np.float64)
    visits = np.zeros(len(rates))
    recent = np.zeros((rule.of_last, len(rates)), np.int64)
    nobody = np.zeros(len(rates), bool)
    for shift in range(shifts):
        recent[shift % rule.of_last] = 0
        chosen = choose_cells(learnt, recent.sum(axis=0), nobody, rule=rule, seed=seed * 100_003 + shift).cells
        recent[shift % rule.of_last, chosen] = 1
        visits[chosen] += 1
        happened = rng.poisson(rates)
        called_in = rng.binomial(happened, told)
        learnt += called_in
        if learns_from_found:
            met = np.zeros(len(rates), np.int64)
            met[chosen] = rng.binomial((happened - called_in)[chosen], found_a_visit) + rng.poisson(found_a_visit, len(chosen))
            learnt += met
    return Lists(rates, visits)
