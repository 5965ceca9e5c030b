"""What happened, counted and set side by side."""

from incidents.services.compare.comparing import (
    AGAINST,
    Change,
    Comparison,
    Figures,
    Late,
    Note,
    PeriodFacts,
    Row,
    compare,
    last_whole_day,
    regions_of,
    scope_of,
)
from incidents.services.compare.counting import Scope
from incidents.services.compare.coverage import Coverage, coverage
from incidents.services.compare.periods import PERIODS, Period, Span, periods

__all__ = [
    "AGAINST",
    "PERIODS",
    "Change",
    "Comparison",
    "Coverage",
    "Figures",
    "Late",
    "Note",
    "Period",
    "PeriodFacts",
    "Row",
    "Scope",
    "Span",
    "compare",
    "coverage",
    "last_whole_day",
    "periods",
    "regions_of",
    "scope_of",
]
