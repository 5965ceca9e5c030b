"""Vehicles, as numbers: how many different ones the plate counters of a zone read in an hour. No plate, and no hash of one."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models import Agency
from geography.models import Zone
from iot.querysets import ScopedQuerySet


class PlateHour(models.Model):
    """One agency's plate counters in one zone (an area or a governorate), one hour.

    An estimate by a sketch: about one per cent off; no sum of its areas, for a vehicle may pass through several."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE, related_name="+", verbose_name=_("agency"))
    governorate = models.ForeignKey(Zone, on_delete=models.CASCADE, related_name="+", verbose_name=_("governorate"))
    zone = models.ForeignKey(Zone, on_delete=models.CASCADE, related_name="+", verbose_name=_("zone"))
    hour = models.DateTimeField(verbose_name=_("hour"))
    vehicles_distinct = models.PositiveIntegerField(verbose_name=_("different vehicles"))
    counted_at = models.DateTimeField(db_default=Now(), verbose_name=_("counted at"))

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("vehicles of an hour")
        verbose_name_plural = _("vehicles by the hour")
        ordering = ["-hour", "zone", "agency"]
        constraints = [
            models.UniqueConstraint(
                fields=["agency", "zone", "hour"],
                name="plate_hour_once",
                violation_error_message=_("This hour of the zone is counted already."),
            )
        ]
        indexes = [
            # Retention; the newest of all zones.
            models.Index(fields=["hour"], name="plate_hour_by_hour")
        ]

    def __str__(self) -> str:
        return f"{self.zone_id} {self.hour} ({self.vehicles_distinct})"
