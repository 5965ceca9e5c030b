"""Shares as the pages of trust write them."""

from __future__ import annotations

from django import template

from dashboard.words import percent

register = template.Library()


@register.filter
def share(value: float | None) -> str:
    """``{{ 0.123|share }}`` is 12 %; nothing known is a dash."""
    return percent(value)
