"""How long something lasts, in words."""

from __future__ import annotations

from django.utils.translation import ngettext


def lasting(seconds: float) -> str:
    """“90 seconds”, “5 minutes”, “2 hours”: in the unit that needs no fraction."""
    whole = round(seconds)
    if whole and whole % 3600 == 0:
        return ngettext("%(n)d hour", "%(n)d hours", whole // 3600) % {"n": whole // 3600}
    if whole and whole % 60 == 0:
        return ngettext("%(n)d minute", "%(n)d minutes", whole // 60) % {"n": whole // 60}
    return ngettext("%(n)d second", "%(n)d seconds", whole) % {"n": whole}
