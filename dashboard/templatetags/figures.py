"""Figures as the whole product writes them: Western digits, a point for decimals, in every language."""

from __future__ import annotations

from django import template

register = template.Library()


@register.filter
def grouped(number: float) -> str:
    """1,539."""
    return f"{number:,.0f}"


@register.filter
def decimals(number: float | None, places: int) -> str:
    """``{{ 2.345|decimals:1 }}`` is 2.3; what is not known is a dash."""
    return "–" if number is None else f"{number:.{places}f}"


@register.filter
def whole(number: float) -> str:
    """Rounded down: 99.7 of 100 is not all."""
    return f"{int(number):d}"


@register.filter
def signed_points(number: float) -> str:
    """+2.4, −0.3, ±0."""
    shown = round(number, 1)
    return f"+{shown:.1f}" if shown > 0 else f"−{-shown:.1f}" if shown < 0 else "±0"
