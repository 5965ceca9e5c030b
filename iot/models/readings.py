"""Readings by the hundred million: the streams they belong to, their roll-ups, and those that could not be taken."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from iot.models.devices import Device
from iot.models.profiles import Metric
from iot.querysets import DeadReadingQuerySet, OfDeviceQuerySet, OfStreamQuerySet


class Datastream(models.Model):
    """One metric of one device, with its last value. The id is small: it stands in each of a hundred million rows."""

    id = models.AutoField(primary_key=True)
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="datastreams", verbose_name=_("device"))
    metric = models.ForeignKey(Metric, on_delete=models.PROTECT, related_name="datastreams", verbose_name=_("metric"))
    # No index on these: the row is rewritten in its own page some times a minute.
    last_at = models.DateTimeField(null=True, blank=True, verbose_name=_("last at"))
    last_value = models.FloatField(null=True, blank=True, verbose_name=_("last value"))
    last_quality = models.SmallIntegerField(default=0, verbose_name=_("quality"))
    last_received_at = models.DateTimeField(null=True, blank=True, verbose_name=_("received at"))

    objects = OfDeviceQuerySet.as_manager()

    class Meta:
        verbose_name = _("datastream")
        verbose_name_plural = _("datastreams")
        ordering = ["device", "metric"]
        constraints = [
            models.UniqueConstraint(
                fields=["device", "metric"], name="datastream_once", violation_error_message=_("This device has this stream already.")
            )
        ]

    def __str__(self) -> str:
        return f"{self.device_id}/{self.metric_id}"


class Reading(models.Model):
    """One value of one stream. The table has a part a day (``services.partitions``); rows are written by ``services.writing`` alone."""

    pk = models.CompositePrimaryKey("datastream_id", "at")
    datastream = models.ForeignKey(
        Datastream, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+", verbose_name=_("datastream")
    )
    at = models.DateTimeField(verbose_name=_("at"))
    value = models.FloatField(verbose_name=_("value"))
    quality = models.SmallIntegerField(default=0, verbose_name=_("quality"))
    received_at = models.DateTimeField(db_default=Now(), verbose_name=_("received at"))

    objects = OfStreamQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "iot_reading"
        verbose_name = _("reading")
        verbose_name_plural = _("readings")
        ordering = ["datastream_id", "at"]

    def __str__(self) -> str:
        return f"{self.datastream_id} {self.at} {self.value}"


class Rollup(models.Model):
    """What a stream said within a stretch of time that begins ``at``. ``bad_n`` are those that are in no other column."""

    pk: Any = models.CompositePrimaryKey("datastream_id", "at")
    datastream = models.ForeignKey(
        Datastream, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+", verbose_name=_("datastream")
    )
    at = models.DateTimeField(verbose_name=_("at"))
    n = models.IntegerField(verbose_name=_("readings"))
    min = models.FloatField(null=True, verbose_name=_("least"))
    max = models.FloatField(null=True, verbose_name=_("most"))
    sum = models.FloatField(default=0, verbose_name=_("sum"))
    last = models.FloatField(null=True, verbose_name=_("last value"))
    last_at = models.DateTimeField(null=True, verbose_name=_("last at"))
    bad_n = models.IntegerField(default=0, verbose_name=_("not believed"))

    objects = OfStreamQuerySet.as_manager()

    class Meta:
        abstract = True
        ordering = ["datastream_id", "at"]

    def __str__(self) -> str:
        return f"{self.datastream_id} {self.at} ({self.n})"


class RollupMinute(Rollup):
    """A part a day, like the readings."""

    class Meta(Rollup.Meta):
        abstract = False
        managed = False
        db_table = "iot_rollup_1m"
        verbose_name = _("minute of readings")
        verbose_name_plural = _("minutes of readings")


class RollupHour(Rollup):
    class Meta(Rollup.Meta):
        abstract = False
        db_table = "iot_rollup_1h"
        verbose_name = _("hour of readings")
        verbose_name_plural = _("hours of readings")


class RollupDay(Rollup):
    """Days of ``TIME_ZONE``: from midnight to midnight where the devices are."""

    class Meta(Rollup.Meta):
        abstract = False
        db_table = "iot_rollup_1d"
        verbose_name = _("day of readings")
        verbose_name_plural = _("days of readings")


class DeadReading(models.Model):
    """What came in and could not be taken, counted: one row an hour for each device, door and reason, with the newest of them as it came.

    A second value for an instant has a row of its own (``at``): the first stands in the readings, this is where the second is."""

    class Why(models.TextChoices):
        UNREADABLE = "unreadable", _("Cannot be read")
        UNKNOWN_DEVICE = "unknown_device", _("Unknown device")
        NOT_IN_USE = "not_in_use", _("Device not in use")
        UNKNOWN_METRIC = "unknown_metric", _("Not a metric of its profile")
        NOT_FINITE = "not_finite", _("Not a number")
        TOO_OLD = "too_old", _("Too old")
        FUTURE = "future", _("In the future")
        CONFLICT = "conflict", _("A second value for the same instant")
        TOO_MANY = "too_many", _("More than its limit")
        REPLAYED = "replayed", _("Told again: its counter does not climb")
        BROKE_WRITER = "broke_writer", _("Broke the writer three times")

    hour = models.DateTimeField(verbose_name=_("hour"))
    door = models.CharField(max_length=12, verbose_name=_("door"))
    why = models.CharField(max_length=16, choices=Why, verbose_name=_("why"))
    device = models.ForeignKey(
        Device, null=True, blank=True, on_delete=models.CASCADE, related_name="dead_readings", verbose_name=_("device")
    )
    metric = models.CharField(max_length=64, blank=True, verbose_name=_("metric"))
    at = models.DateTimeField(null=True, blank=True, verbose_name=_("at"))
    n = models.PositiveIntegerField(default=1, verbose_name=_("how many"))
    raw = models.BinaryField(max_length=1_024, verbose_name=_("as it came"))
    detail = models.CharField(max_length=200, blank=True, verbose_name=_("detail"))
    last_at = models.DateTimeField(verbose_name=_("last one"))

    objects = DeadReadingQuerySet.as_manager()

    class Meta:
        verbose_name = _("dead reading")
        verbose_name_plural = _("dead readings")
        ordering = ["-last_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["hour", "door", "why", "device", "metric", "at"],
                name="dead_counted_once",
                nulls_distinct=False,
                violation_error_message=_("Counted already."),
            )
        ]
        indexes = [
            # The newest first; retention.
            models.Index(fields=["-last_at"], name="dead_by_time"),
            # A device's own.
            models.Index(fields=["device", "-last_at"], name="dead_of_device"),
        ]

    def __str__(self) -> str:
        return f"{self.get_why_display()} × {self.n}"

    @property
    def raw_text(self) -> str:
        return bytes(self.raw).decode("utf-8", "replace")
