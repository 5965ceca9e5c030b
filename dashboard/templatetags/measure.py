"""Minutes, shares and bars of what was measured."""

from __future__ import annotations

from typing import Any

from django import template

register = template.Library()


@register.filter
def minutes(seconds: float | None) -> str:
    """``{{ 90|minutes }}`` is 1.5, ``{{ 12_000|minutes }}`` 200."""
    if seconds is None:
        return "–"
    value = seconds / 60
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.1f}"


@register.filter
def kilometres(metres: float | None) -> str:
    return "–" if metres is None else f"{metres / 1000:,.0f}" if metres >= 100_000 else f"{metres / 1000:,.1f}"


@register.filter
def percent(share: float | None) -> str:
    """``{{ 0.256|percent }}`` is 26 %; of little a decimal, so that something is never 0 %."""
    if share is None:
        return "–"
    value = 100 * share
    return f"{value:.1f} %" if 0 < value < 9.95 else f"{value:.0f} %"


@register.inclusion_tag("dashboard/patrol/_dosage_bar.html")
def dosage_bar(sums: Any) -> dict[str, Any]:
    """A bar of 100: delivered, absent, unknown, one after the other."""
    shares = sums.shares
    at = 0.0
    parts = []
    for name in ("delivered", "absent", "unknown"):
        parts.append((name, f"{at:.2f}", f"{shares[name]:.2f}"))
        at += shares[name]
    return {"parts": parts, "shares": shares, "sums": sums}
