"""How readings are written: as many figures as mean something, and in one table as many decimals for all of a metric. Pure."""

from __future__ import annotations

from collections.abc import Iterable


def written(value: float | None, digits: int | None = None) -> str:
    """
    >>> [written(value) for value in (None, 0.0312, 3.21, 49.0, 412.55, 1012.4)]
    ['–', '0.0312', '3.21', '49', '412.6', '1,012']
    >>> written(49.0, 1), written(1012.4, 0)
    ('49.0', '1,012')
    """
    if value is None:
        return "–"
    if digits is not None:
        return f"{value:,.{digits}f}"
    size = abs(value)
    if size >= 1_000:
        return f"{value:,.0f}"
    text = f"{value:.{1 if size >= 100 else 2 if size >= 0.1 else 4}f}"
    return text.rstrip("0").rstrip(".")


def digits_of(values: Iterable[float | None]) -> int:
    """How many decimals a table gives all of them, so that their points stand under one another: the most that one of them means.

    >>> digits_of([49.0, 31.6, None]), digits_of([0.0, 1.0]), digits_of([])
    (1, 0, 0)
    """
    return max((len(written(value).partition(".")[2]) for value in values if value is not None), default=0)
