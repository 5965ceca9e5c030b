"""What a device was told to do, and what became of it."""

from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from iot.models.devices import Device
from iot.querysets import OfDeviceQuerySet


class DeviceCommand(models.Model):
    """The row is the queue: a gateway of its ``transport`` takes it, hands it over and says what became of it.

    ``sent`` means that the network has it for a device that listens, not that the device did it; that is ``acknowledged``.
    """

    class Transport(models.TextChoices):
        MQTT = "mqtt", "MQTT"
        LORAWAN = "lorawan", "LoRaWAN"

    class State(models.TextChoices):
        QUEUED = "queued", _("Waits")
        SENT = "sent", _("Sent")
        ACKNOWLEDGED = "acknowledged", _("Done, the device says")
        FAILED = "failed", _("Failed")

    reference = models.UUIDField(unique=True, default=uuid4, editable=False, verbose_name=_("reference"))
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="commands", verbose_name=_("device"))
    transport = models.CharField(max_length=8, choices=Transport, verbose_name=_("sent by"))
    payload = models.JSONField(verbose_name=_("command"))
    state = models.CharField(max_length=12, choices=State, default=State.QUEUED, verbose_name=_("state"))
    cause = models.CharField(max_length=200, blank=True, verbose_name=_("why"))
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("asked by")
    )
    asked_at = models.DateTimeField(db_default=Now(), verbose_name=_("asked at"))
    expires_at = models.DateTimeField(verbose_name=_("of no use after"))
    next_try_at = models.DateTimeField(db_default=Now(), editable=False, verbose_name=_("tried next at"))
    tries = models.PositiveIntegerField(default=0, verbose_name=_("tries"))
    sent_at = models.DateTimeField(null=True, blank=True, verbose_name=_("sent at"))
    ended_at = models.DateTimeField(null=True, blank=True, verbose_name=_("ended at"))
    problem = models.CharField(max_length=200, blank=True, verbose_name=_("problem"))

    objects = OfDeviceQuerySet.as_manager()

    class Meta:
        verbose_name = _("command to a device")
        verbose_name_plural = _("commands to devices")
        ordering = ["-asked_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("asked_at")),
                name="command_lasts",
                violation_error_message=_("It is of use for a while at least."),
            ),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "failed"]) | Q(sent_at__isnull=False),
                name="command_sent_at_some_time",
                violation_error_message=_("What was sent was sent at some time."),
            ),
        ]
        indexes = [
            # What a gateway takes next.
            models.Index(fields=["transport", "next_try_at"], name="command_waiting", condition=Q(state="queued")),
            # A device's commands, newest first.
            models.Index(fields=["device", "-asked_at"], name="command_of_device"),
        ]

    def __str__(self) -> str:
        return f"{self.device_id} {self.reference}"
