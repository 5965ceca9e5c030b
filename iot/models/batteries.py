"""How full batteries were, a row a device and day: a device tells only how full it is now."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from iot.models.devices import Device
from iot.querysets import OfDeviceQuerySet


class BatteryDay(models.Model):
    """The last level a device told on a local day."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, db_index=False, related_name="battery_days", verbose_name=_("device"))
    day = models.DateField(verbose_name=_("day"))
    level_pct = models.FloatField(verbose_name=_("battery (%)"))

    objects = OfDeviceQuerySet.as_manager()

    class Meta:
        verbose_name = _("day of a battery")
        verbose_name_plural = _("days of batteries")
        ordering = ["device", "-day"]
        constraints = [
            # Also: a device's days, which the forecast reads.
            models.UniqueConstraint(
                fields=["device", "day"], name="battery_day_once", violation_error_message=_("This day is there already.")
            ),
            models.CheckConstraint(
                condition=Q(level_pct__range=(0, 100)), name="battery_day_is_a_share", violation_error_message=_("0 to 100.")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.device_id} {self.day} {self.level_pct}"
