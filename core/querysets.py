from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:
    from core.models import AuditEntry, Event  # noqa: F401


class EventQuerySet(models.QuerySet["Event"]):
    def numbered_after(self, seq: int) -> EventQuerySet:
        """The log behind ``seq``, in its order."""
        return self.filter(seq__gt=seq).order_by("seq")

    def unnumbered(self) -> EventQuerySet:
        return self.filter(seq=None).order_by("id")


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    def about(self, object_type: str, object_id: object) -> AuditQuerySet:
        return self.filter(object_type=object_type, object_id=str(object_id))
