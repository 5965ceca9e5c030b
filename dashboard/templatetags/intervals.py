"""Lengths of time and shares in tables."""

from __future__ import annotations

from datetime import timedelta

from django import template

from dashboard.templatetags.dashboard import lasting

register = template.Library()


@register.filter
def seconds(value: float | None) -> str:
    """03:20, or 1 h 5 min; a dash where nothing is known."""
    return "–" if value is None else lasting(timedelta(seconds=value))


@register.filter
def percent(share: float) -> str:
    return f"{100 * share:.0f}%"
