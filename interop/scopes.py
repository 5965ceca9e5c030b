"""What a key may do."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Scope(models.TextChoices):
    """What a key may do."""

    INCIDENTS_WRITE = "incidents:write", _("Send reports")
    INCIDENTS_READ = "incidents:read", _("Read incidents")
    HOTSPOTS_READ = "hotspots:read", _("Read hot spots, surfaces and runs")
    FORECASTS_READ = "forecasts:read", _("Read forecasts")
    PATROL_READ = "patrol:read", _("Read units, plans and coverage")
    TELEMETRY_WRITE = "telemetry:write", _("Send positions and readings")
    TELEMETRY_READ = "telemetry:read", _("Read devices and their readings")
    ALERTS_READ = "alerts:read", _("Read alerts, statistics and who is on call")
    ZONES_READ = "zones:read", _("Read zones")
    WEBHOOKS_MANAGE = "webhooks:manage", _("Manage its webhooks")
    ADMIN = "admin", _("Manage the keys of its agency")
