"""Fields of what callers send."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

FIRST_YEAR, LAST_YEAR = 1970, 2199


class _OfOurTime(serializers.Field[Any, Any, Any, Any]):
    """Of years we reckon with. Nearer to the ends of the calendar a day more, or another time zone, leads out of it."""

    default_error_messages = {"far": _("From the year 1970 to 2199.")}

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        if not FIRST_YEAR <= value.year <= LAST_YEAR:
            self.fail("far")
        return value


class Moment(_OfOurTime, serializers.DateTimeField):
    """A point in time that is reckoned with."""


class Day(_OfOurTime, serializers.DateField):
    """A day that is reckoned with."""
