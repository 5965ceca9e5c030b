"""How figures are written: Western digits, a point for decimals, in every language."""

from __future__ import annotations

from datetime import timedelta

from django import template
from django.utils.translation import gettext as _

register = template.Library()


@register.filter
def plain(number: float) -> str:
    """A number for a drawing's attribute, whatever the language."""
    return f"{number:g}"


@register.filter
def signed(number: int) -> str:
    """+6, −2, ±0."""
    return f"+{number}" if number > 0 else f"−{-number}" if number < 0 else "±0"


@register.filter
def minutes(number: float) -> str:
    return _("%(n)s min") % {"n": f"{number:.1f}" if number < 10 else f"{number:.0f}"}


@register.filter
def lasting(value: timedelta | None) -> str:
    """A stretch of time in its two largest parts; unknown is said."""
    if value is None:
        return _("unknown")
    seconds = max(0, int(value.total_seconds()))
    if seconds < 3600:
        return f"{seconds // 60:02d}:{seconds % 60:02d}"
    if seconds < 86400:
        return _("%(h)d h %(m)d min") % {"h": seconds // 3600, "m": seconds % 3600 // 60}
    return _("%(d)d d %(h)d h") % {"d": seconds // 86400, "h": seconds % 86400 // 3600}


@register.filter
def coordinate(degrees: float) -> str:
    return f"{degrees:.5f}"
