"""A stretch of whole days on a region's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.utils.translation import gettext as _

from core.errors import Invalid
from geography.models import Region

DAYS = 7
MOST_DAYS = 92


@dataclass(frozen=True)
class Window:
    """From the first instant of ``first`` to the last of ``last``."""

    first: date
    last: date
    start: datetime
    end: datetime

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def query(self) -> str:
        return f"from={self.first}&to={self.last}"


def window(region: Region, *, now: datetime, first: date | None = None, last: date | None = None) -> Window:
    """The days asked for; without any, the last seven. Raises ``Invalid`` for days to come, out of order or too many."""
    today = now.astimezone(region.zone_info).date()
    last = last or (min(first + timedelta(days=DAYS - 1), today) if first else today)
    first = first or last - timedelta(days=DAYS - 1)
    if not date(2000, 1, 1) <= first <= today:
        raise Invalid(_("These days cannot be shown."), fields={"from": _("It begins today or before.")})
    if last < first:
        raise Invalid(_("These days cannot be shown."), fields={"to": _("It must end after it begins.")})
    if last > today + timedelta(days=1) or (last - first).days + 1 > MOST_DAYS:
        raise Invalid(_("These days cannot be shown."), fields={"to": _("At most %(days)d days, up to tomorrow.") % {"days": MOST_DAYS}})
    zone = region.zone_info
    return Window(first, last, datetime.combine(first, time(), zone), datetime.combine(last + timedelta(days=1), time(), zone))
