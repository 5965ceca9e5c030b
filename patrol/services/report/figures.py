"""The figures a report is made of: each with its unit and the page whose rows it was counted from."""

from __future__ import annotations

from dataclasses import dataclass

COUNT, SECONDS, METRES, SHARE = "count", "seconds", "metres", "share"


@dataclass(frozen=True)
class Figure:
    """``value`` is ``None`` where it is not known. ``page`` names the page that shows what was counted, ``query`` what to ask it."""

    key: str
    value: float | None
    unit: str = COUNT
    page: str = ""
    query: str = ""


@dataclass(frozen=True)
class Line:
    """A row of a part's table: what it is of, and its figures in the order of the part's columns."""

    key: str
    name: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Part:
    """``notes`` are words with their sentence on the page: what is missing, or how the figures are to be read."""

    key: str
    figures: tuple[Figure, ...] = ()
    lines: tuple[Line, ...] = ()
    notes: tuple[str, ...] = ()

    def value(self, key: str) -> float | None:
        return next(figure.value for figure in self.figures if figure.key == key)
