"""What the analytics found, each result beside the run that made it."""

from __future__ import annotations

from django.conf import settings
from django.contrib.gis.db import models
from django.utils.translation import gettext_lazy as _

from geography.models import Region, Zone
from incidents.querysets import ForecastQuerySet, HotSpotQuerySet


class PipelineRun(models.Model):
    """One run of the analytics. ``key`` is unique: a night is run once, however many replicas try."""

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    key = models.CharField(max_length=64, unique=True, verbose_name=_("key"))
    status = models.CharField(max_length=8, choices=Status, default=Status.WAITING, verbose_name=_("status"))
    as_of = models.DateTimeField(verbose_name=_("as of"))
    parameters = models.JSONField(default=dict, verbose_name=_("parameters"))
    code_version = models.CharField(max_length=40, blank=True, verbose_name=_("code version"))
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("requested by")
    )
    started_at = models.DateTimeField(auto_now_add=True, verbose_name=_("started at"))
    finished_at = models.DateTimeField(null=True, blank=True, verbose_name=_("finished at"))
    heartbeat_at = models.DateTimeField(null=True, blank=True, editable=False)
    seconds = models.FloatField(null=True, blank=True, verbose_name=_("seconds"))
    counts = models.JSONField(default=dict, verbose_name=_("counts"))
    error = models.TextField(blank=True, verbose_name=_("error"))

    class Meta:
        verbose_name = _("pipeline run")
        verbose_name_plural = _("pipeline runs")
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.key


class PipelineStep(models.Model):
    """One step of a run: a region's hot spots, its forecasts. A run cut off goes on at the first step not done."""

    run = models.ForeignKey(PipelineRun, on_delete=models.CASCADE, related_name="steps", verbose_name=_("run"))
    name = models.CharField(max_length=64, verbose_name=_("step"))
    status = models.CharField(max_length=8, choices=PipelineRun.Status, default=PipelineRun.Status.RUNNING, verbose_name=_("status"))
    started_at = models.DateTimeField(auto_now_add=True, verbose_name=_("started at"))
    seconds = models.FloatField(null=True, blank=True, verbose_name=_("seconds"))
    counts = models.JSONField(default=dict, verbose_name=_("counts"))
    error = models.TextField(blank=True, verbose_name=_("error"))

    class Meta:
        verbose_name = _("pipeline step")
        verbose_name_plural = _("pipeline steps")
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["run", "name"], name="step_once_a_run")]

    def __str__(self) -> str:
        return self.name


class HotSpot(models.Model):
    """A place where incidents crowd, with why it is called so."""

    run = models.ForeignKey(PipelineRun, on_delete=models.CASCADE, related_name="hot_spots", verbose_name=_("run"))
    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="+", verbose_name=_("region"))
    governorate = models.ForeignKey(Zone, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("governorate"))
    area = models.ForeignKey(Zone, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("area"))
    category = models.CharField(max_length=32, blank=True, verbose_name=_("category"), help_text=_("Empty: all that may be modelled."))
    rank = models.PositiveIntegerField(verbose_name=_("rank"))
    hull = models.PolygonField(srid=4326, verbose_name=_("outline"))
    centre = models.PointField(srid=4326, spatial_index=False, verbose_name=_("centre"))
    incident_count = models.PositiveIntegerField(verbose_name=_("incidents"))
    area_km2 = models.FloatField(verbose_name=_("area in km²"))
    density_per_km2 = models.FloatField(verbose_name=_("incidents per km²"))
    severity_score = models.FloatField(verbose_name=_("severity-weighted score"))
    previous_count = models.PositiveIntegerField(null=True, blank=True, verbose_name=_("incidents in the window before"))
    peak_hour = models.PositiveSmallIntegerField(null=True, blank=True, verbose_name=_("peak hour"))
    peak_weekday = models.PositiveSmallIntegerField(null=True, blank=True, verbose_name=_("peak weekday"), help_text=_("0 is Monday."))
    leading_types = models.JSONField(default=list, verbose_name=_("leading types"), help_text=_("A list of [type code, count]."))
    window_from = models.DateTimeField(verbose_name=_("from"))
    window_to = models.DateTimeField(verbose_name=_("to"))
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))
    is_current = models.BooleanField(default=False, verbose_name=_("current"), help_text=_("The newest result for its region."))

    objects = HotSpotQuerySet.as_manager()

    class Meta:
        verbose_name = _("hot spot")
        verbose_name_plural = _("hot spots")
        ordering = ["run", "rank"]
        indexes = [
            # The map and the board: what stands now.
            models.Index(fields=["region", "rank"], name="hotspot_current", condition=models.Q(is_current=True)),
        ]

    def __str__(self) -> str:
        return f"#{self.rank}"


class Forecast(models.Model):
    """How many incidents one zone should expect on one day, with its interval."""

    run = models.ForeignKey(PipelineRun, on_delete=models.CASCADE, related_name="forecasts", verbose_name=_("run"))
    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="+", verbose_name=_("region"))
    zone = models.ForeignKey(Zone, on_delete=models.CASCADE, related_name="+", verbose_name=_("zone"))
    category = models.CharField(max_length=32, blank=True, verbose_name=_("category"))
    day = models.DateField(verbose_name=_("day"))
    expected = models.FloatField(verbose_name=_("expected"))
    low = models.FloatField(verbose_name=_("low"))
    high = models.FloatField(verbose_name=_("high"))
    interval = models.FloatField(
        default=0.8, verbose_name=_("interval"), help_text=_("The share of days meant to fall between low and high.")
    )
    method = models.CharField(max_length=24, verbose_name=_("method"))
    history_days = models.PositiveIntegerField(verbose_name=_("days of history"))
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))
    is_current = models.BooleanField(default=False, verbose_name=_("current"), help_text=_("The newest result for its region."))

    objects = ForecastQuerySet.as_manager()

    class Meta:
        verbose_name = _("forecast")
        verbose_name_plural = _("forecasts")
        ordering = ["run", "zone", "day"]
        indexes = [
            # A zone's page: the seven days that stand now.
            models.Index(fields=["zone", "day"], name="forecast_current", condition=models.Q(is_current=True)),
        ]
        constraints = [
            models.UniqueConstraint(fields=["run", "zone", "category", "day"], name="forecast_once"),
            models.CheckConstraint(
                condition=models.Q(low__gte=0, expected__gte=models.F("low"), high__gte=models.F("expected")), name="forecast_in_order"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.zone_id} {self.day}"
