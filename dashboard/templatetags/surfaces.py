"""Figures of surfaces: three digits that count."""

from __future__ import annotations

from django import template

from dashboard.surfaces import figure as written

register = template.Library()


@register.filter
def figure(value: float | None) -> str:
    return written(value)


@register.filter
def signed_figure(value: float | None) -> str:
    return written(value, is_signed=True)


@register.filter
def degrees(value: float) -> str:
    return f"{value:.5f}"
