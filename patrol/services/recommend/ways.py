"""How long each unit needs to a place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from geography.models import Region
from patrol.analytics.travel import DETOUR, SPEED_KMH, STRAIGHT

EARTH_M = 6_371_008.8
FloatArray = NDArray[np.float64]


def ways_to(region: Region, origins: Sequence[tuple[float, float]], destination: tuple[float, float]) -> tuple[FloatArray, FloatArray, str]:
    """Seconds and metres from each origin (longitude, latitude) to the destination, and who measured."""
    if not origins:
        return np.zeros(0), np.zeros(0), STRAIGHT
    places = np.radians(np.asarray(origins, dtype=float))
    there = np.radians(np.asarray(destination, dtype=float))
    half = (places - there) / 2.0
    chord = np.sin(half[:, 1]) ** 2 + np.cos(places[:, 1]) * np.cos(there[1]) * np.sin(half[:, 0]) ** 2
    metres = DETOUR * 2 * EARTH_M * np.arcsin(np.sqrt(np.clip(chord, 0.0, 1.0)))
    return metres / (SPEED_KMH / 3.6), metres, STRAIGHT
