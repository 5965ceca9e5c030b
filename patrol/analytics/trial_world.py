"""Trials in a world whose truth is known: what the effect report finds where patrols do nothing, and where they do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from patrol.analytics.effect import Effect, effect
from patrol.analytics.randomise import draw, redraws


@dataclass(frozen=True)
class World:
    """Cells of different levels (gamma, shape 1.5) with ``mean`` incidents each during the trial; a cell's counts swing from period to
    period ``swing`` times as much as Poisson counts do. Treated cells have ``theta`` times what they would have had."""

    cells: int
    mean: float
    theta: float = 1.0
    swing: float = 2.0
    strata: int = 4
    days_before: float = 90.0
    days_during: float = 56.0


def one_trial(world: World, rng: np.random.Generator, *, draws: int = 499) -> Effect:
    """Draw a trial in this world, let it run, and report it."""
    level = rng.gamma(1.5, world.mean / 1.5, world.cells)

    def counted(expected: np.ndarray) -> np.ndarray:
        return rng.negative_binomial(np.maximum(expected / (world.swing - 1), 1e-9), 1 / world.swing)

    before = counted(level * world.days_before / world.days_during)
    at = np.arange(world.cells)
    drawn = draw(at * 3, at * 0, before, strata=world.strata, holdout_share=0.5, seed=int(rng.integers(1 << 30)))
    during = counted(level * np.where(drawn.is_control, 1.0, world.theta))
    return effect(before, during, ~drawn.is_control, redraws(drawn.stratum, drawn.is_control, draws=draws, rng=rng))
