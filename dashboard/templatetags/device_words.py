"""How the pages of sensors write values, ages and standings."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard.device_list import mark_words
from dashboard.device_values import written
from iot.analytics.battery import Battery
from iot.models import Device
from iot.quality import labels_of
from iot.words import DOORS

register = template.Library()


@register.filter
def measured(value: float | None, digits: int | None = None) -> str:
    """As many figures as mean something: 0.0312, 3.21, 412.5, 1,012; or with so many decimals, as its neighbours in a table have."""
    return written(value, digits)


@register.filter
def door_label(name: str) -> str:
    return str(DOORS.get(name, name))


@register.filter
def ago(at: datetime | None, now: datetime) -> str:
    """How long before ``now``, in its largest part."""
    if at is None:
        return "–"
    seconds = max(0, int((now - at).total_seconds()))
    if seconds < 90:
        return _("%(n)d s ago") % {"n": seconds}
    if seconds < 5_400:
        return _("%(n)d min ago") % {"n": round(seconds / 60)}
    if seconds < 129_600:
        return _("%(n)d h ago") % {"n": round(seconds / 3_600)}
    return _("%(n)d d ago") % {"n": round(seconds / 86_400)}


@register.filter
def device_standing(device: Device) -> str:
    return mark_words(device)


@register.filter
def quality_words(quality: int) -> str:
    return labels_of(quality)


@register.filter
def battery_lasts(found: Battery) -> str:
    """How long a battery lasts, with its interval; or why nobody can say."""
    if found.why == "too_little_history":
        return ngettext(
            "Too little history: %(days)d day, needs %(needs)d.", "Too little history: %(days)d days, needs %(needs)d.", found.days
        ) % {"days": found.days, "needs": found.needs}
    if found.days_left is None:
        return _("It is not falling.") if found.why == "not_falling" else _("No history yet.")
    days = round(found.days_left)
    if days < 1:
        return _("It may end any day.")
    about = ngettext("about %(n)d day left", "about %(n)d days left", days) % {"n": days}
    if found.low is None:
        return about
    if found.high is None:
        return _("%(about)s (%(low)d at the least)") % {"about": about, "low": round(found.low)}
    return _("%(about)s (%(low)d to %(high)d)") % {"about": about, "low": round(found.low), "high": round(found.high)}
