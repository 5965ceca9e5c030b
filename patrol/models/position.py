"""Where units are and were, and the fences they pass."""

from __future__ import annotations

from django.contrib.gis.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models import Agency
from geography.models import Zone
from patrol.models.force import GOVERNORATE_ONLY, Station, Unit
from patrol.querysets import ActiveQuerySet, OfUnitQuerySet


class PositionSource(models.TextChoices):
    HTTP = "http", "HTTP"
    MQTT = "mqtt", "MQTT"
    TRACCAR = "traccar", "Traccar"
    PHONE = "phone", _("Phone")
    SIMULATOR = "simulator", _("Simulator")


class Doubt(models.TextChoices):
    """Why a position is kept in the track and not believed."""

    NONE = "", _("None")
    JUMP = "jump", _("Faster than anything drives")
    BLUNT = "blunt", _("Accuracy too poor")
    JITTER = "jitter", _("Standing still")
    LATE = "late", _("Older than the last one")


class Position(models.Model):
    """One reported position. The table is partitioned by day (made by SQL: ``services.positions.partitions``); rows are written in batches
    by COPY, and old days are dropped whole."""

    pk = models.CompositePrimaryKey("unit_id", "at")
    unit = models.ForeignKey(
        Unit, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+", verbose_name=_("unit")
    )
    at = models.DateTimeField(verbose_name=_("at"))
    received_at = models.DateTimeField(db_default=Now(), verbose_name=_("received at"))
    location = models.PointField(srid=4326, spatial_index=False, verbose_name=_("location"))
    accuracy_m = models.FloatField(null=True, verbose_name=_("accuracy in metres"))
    speed_kmh = models.FloatField(null=True, verbose_name=_("speed in km/h"))
    heading_deg = models.FloatField(null=True, verbose_name=_("heading in degrees"))
    source = models.CharField(max_length=9, choices=PositionSource, verbose_name=_("source"))
    doubt = models.CharField(max_length=8, choices=Doubt, blank=True, default="", verbose_name=_("doubt"))

    objects = OfUnitQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "patrol_position"
        verbose_name = _("position")
        verbose_name_plural = _("positions")
        ordering = ["unit_id", "at"]

    def __str__(self) -> str:
        return f"{self.unit_id} {self.at}"


class UnitPosition(models.Model):
    """The last believed position of each unit, in one row."""

    unit = models.OneToOneField(Unit, primary_key=True, on_delete=models.CASCADE, related_name="last_position", verbose_name=_("unit"))
    at = models.DateTimeField(verbose_name=_("at"))
    received_at = models.DateTimeField(db_default=Now(), verbose_name=_("received at"))
    # No index: 2,000 rows are scanned in a millisecond, and without one the row is rewritten in its own page.
    location = models.PointField(srid=4326, spatial_index=False, verbose_name=_("location"))
    accuracy_m = models.FloatField(null=True, verbose_name=_("accuracy in metres"))
    speed_kmh = models.FloatField(null=True, verbose_name=_("speed in km/h"))
    heading_deg = models.FloatField(null=True, verbose_name=_("heading in degrees"))
    source = models.CharField(max_length=9, choices=PositionSource, verbose_name=_("source"))
    fenced_until = models.DateTimeField(null=True, blank=True, verbose_name=_("fences judged until"))
    silent_since = models.DateTimeField(null=True, blank=True, verbose_name=_("said to be silent since"))

    objects = OfUnitQuerySet.as_manager()

    class Meta:
        verbose_name = _("last position")
        verbose_name_plural = _("last positions")
        ordering = ["unit"]

    def __str__(self) -> str:
        return f"{self.unit_id} {self.at}"


class Geofence(models.Model):
    """A fence somebody watches: a circle about a place, or a shape. Entering counts ``enter_margin`` inside, leaving outside it."""

    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="geofences", verbose_name=_("agency"))
    governorate = models.ForeignKey(
        Zone, on_delete=models.PROTECT, limit_choices_to=GOVERNORATE_ONLY, related_name="+", verbose_name=_("governorate")
    )
    name = models.CharField(max_length=120, verbose_name=_("name"))
    station = models.ForeignKey(Station, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("station"))
    centre = models.PointField(srid=4326, null=True, blank=True, spatial_index=False, verbose_name=_("centre"))
    radius_m = models.PositiveIntegerField(null=True, blank=True, verbose_name=_("radius in metres"))
    shape = models.PolygonField(srid=4326, null=True, blank=True, verbose_name=_("shape"))
    margin_m = models.PositiveIntegerField(
        default=25,
        verbose_name=_("margin in metres"),
        help_text=_("A unit has left once it is so far outside: no coming and going at the edge."),
    )
    dwell_s = models.PositiveIntegerField(default=120, verbose_name=_("dwell after (s)"), help_text=_("Announced once it stayed so long."))
    active_from = models.TimeField(
        null=True, blank=True, verbose_name=_("active from"), help_text=_("On the region's clock. Empty: always.")
    )
    active_to = models.TimeField(null=True, blank=True, verbose_name=_("active to"))
    is_active = models.BooleanField(default=True, verbose_name=_("in use"))

    objects = ActiveQuerySet.as_manager()

    class Meta:
        verbose_name = _("geofence")
        verbose_name_plural = _("geofences")
        ordering = ["agency", "name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(shape__isnull=False) | (Q(centre__isnull=False) & Q(radius_m__range=(20, 50_000))),
                name="geofence_is_somewhere",
                violation_error_message=_("Give a shape, or a centre and a radius of 20 m to 50 km."),
            )
        ]

    def __str__(self) -> str:
        return self.name


class FenceVisit(models.Model):
    """A unit was inside a fence, or inside the place of one of its assignments."""

    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="visits", verbose_name=_("unit"))
    fence = models.ForeignKey(Geofence, null=True, blank=True, on_delete=models.CASCADE, related_name="visits", verbose_name=_("fence"))
    assignment = models.ForeignKey(
        "patrol.Assignment", null=True, blank=True, on_delete=models.PROTECT, related_name="visits", verbose_name=_("assignment")
    )
    entered_at = models.DateTimeField(verbose_name=_("entered at"))
    dwelt_at = models.DateTimeField(null=True, blank=True, verbose_name=_("dwelt at"))
    last_inside_at = models.DateTimeField(verbose_name=_("last inside at"))
    left_at = models.DateTimeField(null=True, blank=True, verbose_name=_("left at"))

    objects = OfUnitQuerySet.as_manager()

    class Meta:
        verbose_name = _("visit")
        verbose_name_plural = _("visits")
        ordering = ["-entered_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["unit", "fence"], condition=Q(left_at=None, fence__isnull=False), name="visit_one_open_a_fence"
            ),
            models.UniqueConstraint(
                fields=["unit", "assignment"], condition=Q(left_at=None, assignment__isnull=False), name="visit_one_open_a_task"
            ),
            models.CheckConstraint(
                condition=Q(fence__isnull=False) ^ Q(assignment__isnull=False),
                name="visit_of_one",
            ),
        ]
        indexes = [
            # Who is inside what now.
            models.Index(fields=["unit"], name="visit_open", condition=Q(left_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.unit_id} {self.entered_at}"
