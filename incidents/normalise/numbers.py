"""Coordinates as sources write them."""

from __future__ import annotations

import math
from typing import Any

from core.text import western_digits
from incidents.normalise.problems import Unreadable

_MARKS = str.maketrans({"٫": ".", "\u200e": None, "\u200f": None, "°": None, "−": "-"})
_NOTHING = frozenset({"", "null", "none", "n/a", "na", "-", "\\n"})


def read_number(value: Any) -> float | None:
    """``value`` as a finite number, ``None`` where there is none. A comma is a decimal sign where no point is. Raises ``Unreadable``."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return _written(value)
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise Unreadable("bad_number")
    try:
        return _finite(float(value))
    except OverflowError as error:
        raise Unreadable("not_finite") from error


def _written(text: str) -> float | None:
    text = western_digits(text).translate(_MARKS).strip()
    if text.lower() in _NOTHING:
        return None
    if text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    try:
        if "_" in text:
            raise ValueError
        return _finite(float(text))
    except ValueError as error:
        raise error if isinstance(error, Unreadable) else Unreadable("bad_number") from error


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise Unreadable("not_finite")
    return number
