"""What a run was told, kept in its row: the answer to "why is this red?" begins here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime, time
from typing import Any

from django.utils.translation import gettext as _

from core.errors import Invalid
from geography.models import Region


@dataclass(frozen=True)
class Parameters:
    """The figures of a run. Metres, days, shares."""

    eps_m: float = 300.0
    min_points: int = 10
    window_days: int = 30
    horizon_days: int = 7
    history_days: int = 1096
    interval: float = 0.8
    cell_m: float = 250.0
    risk_history_days: int = 3_660
    surface_days: int = 90
    change_days: int = 28
    bandwidth_m: float = 500.0
    near_repeat_days: int = 365
    near_repeat_within_m: float = 200.0
    near_repeat_within_days: float = 14.0
    permutations: int = 999
    seed: int = 1

    def __post_init__(self) -> None:
        problems: dict[str, str] = {}
        for name, low, high in (
            ("eps_m", 10, 50_000),
            ("min_points", 2, 10_000),
            ("window_days", 1, 3_660),
            ("horizon_days", 1, 60),
            ("history_days", 28, 7_320),
            ("interval", 0.5, 0.99),
            ("cell_m", 50, 5_000),
            ("risk_history_days", 56, 7_320),
            ("surface_days", 28, 3_660),
            ("change_days", 7, 366),
            ("bandwidth_m", 50, 10_000),
            ("near_repeat_days", 56, 1_830),
            ("near_repeat_within_m", 50, 1_000),
            ("near_repeat_within_days", 1, 60),
            ("permutations", 99, 9_999),
            ("seed", 0, 2**31 - 1),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                problems[name] = _("Between %(low)s and %(high)s.") % {"low": low, "high": high}
        if problems:
            raise Invalid(_("The analytics cannot run with these figures."), fields=problems)

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Parameters:
        """From a run's stored words; what an older run did not know takes its default."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in given.items() if name in known})

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Moment:
    """When a run looks from. With a day given, every region looks from the start of that day on its own clock."""

    instant: datetime
    day: date | None = None

    def instant_in(self, region: Region) -> datetime:
        return datetime.combine(self.day, time.min, region.zone_info) if self.day else self.instant

    def day_in(self, region: Region) -> date:
        """The first local day not learnt from: the day under way."""
        return self.day or self.instant.astimezone(region.zone_info).date()
