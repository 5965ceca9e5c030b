"""How instants and lengths are written in the sentences of services."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from geography.models import Region


def clock(at: datetime, region: Region | None = None) -> str:
    """21 Nov, 06:00 — on the region's clock."""
    local = at.astimezone(region.zone_info) if region is not None else timezone.localtime(at)
    return f"{date_format(local, 'j M')}, {local:%H:%M}"


def hours(length: timedelta) -> str:
    """7 h 30 min."""
    minutes = max(int(length.total_seconds() // 60), 0)
    if minutes % 60 == 0:
        return _("%(h)d h") % {"h": minutes // 60}
    return _("%(h)d h %(m)d min") % {"h": minutes // 60, "m": minutes % 60}
