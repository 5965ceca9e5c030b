"""What the analytics found, each result beside the run that made it."""

from __future__ import annotations

from django.conf import settings
from django.contrib.gis.db import models
from django.utils.translation import gettext_lazy as _

from geography.models import Region, Zone
from incidents.querysets import ForecastQuerySet, HotSpotQuerySet, RunQuerySet, StepQuerySet


class PipelineRun(models.Model):
    """One run of the analytics. ``key`` is unique: a night is run once, however many replicas try.

    It waits until somebody plans its steps; whoever ends its last step ends it.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    key = models.CharField(max_length=64, unique=True, verbose_name=_("key"))
    status = models.CharField(max_length=9, choices=Status, default=Status.WAITING, verbose_name=_("status"))
    as_of = models.DateTimeField(verbose_name=_("as of"))
    parameters = models.JSONField(default=dict, verbose_name=_("parameters"))
    code_version = models.CharField(max_length=40, blank=True, verbose_name=_("code version"))
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("requested by")
    )
    started_at = models.DateTimeField(auto_now_add=True, verbose_name=_("requested at"))
    began_at = models.DateTimeField(null=True, blank=True, verbose_name=_("began"), help_text=_("When its steps were planned."))
    finished_at = models.DateTimeField(null=True, blank=True, verbose_name=_("finished at"))
    cancel_requested_at = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=_("cancel requested"))
    cancelled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("cancelled by"),
    )
    cancel_reason = models.CharField(max_length=400, blank=True, editable=False, verbose_name=_("why it was cancelled"))
    late_at = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=_("found late"))
    seconds = models.FloatField(null=True, blank=True, verbose_name=_("seconds"), help_text=_("By the clock, from beginning to end."))
    counts = models.JSONField(default=dict, verbose_name=_("counts"))
    error = models.TextField(blank=True, verbose_name=_("error"))

    objects = RunQuerySet.as_manager()

    class Meta:
        verbose_name = _("pipeline run")
        verbose_name_plural = _("pipeline runs")
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.key


class PipelineStep(models.Model):
    """One step of a run: ``kind:region`` or ``kind:region:part``. Whoever raises ``attempts`` holds it, until its heartbeat is too old."""

    run = models.ForeignKey(PipelineRun, on_delete=models.CASCADE, related_name="steps", verbose_name=_("run"))
    name = models.CharField(max_length=96, verbose_name=_("step"))
    status = models.CharField(max_length=9, choices=PipelineRun.Status, default=PipelineRun.Status.WAITING, verbose_name=_("status"))
    is_retiring = models.BooleanField(
        default=False, editable=False, verbose_name=_("retires"), help_text=_("Its part is no more: its results stand no more.")
    )
    expected_seconds = models.FloatField(null=True, blank=True, editable=False, verbose_name=_("seconds the last time"))
    attempts = models.PositiveSmallIntegerField(default=0, editable=False, verbose_name=_("attempts"))
    worker = models.CharField(max_length=80, blank=True, editable=False, verbose_name=_("process"))
    started_at = models.DateTimeField(null=True, blank=True, verbose_name=_("started at"))
    heartbeat_at = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=_("last sign of life"))
    finished_at = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=_("finished at"))
    seconds = models.FloatField(null=True, blank=True, verbose_name=_("seconds"))
    counts = models.JSONField(default=dict, verbose_name=_("counts"))
    error = models.TextField(blank=True, verbose_name=_("error"))

    objects = StepQuerySet.as_manager()

    class Meta:
        verbose_name = _("pipeline step")
        verbose_name_plural = _("pipeline steps")
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["run", "name"], name="step_once_a_run")]
        indexes = [
            # How long it took the last time, and which parts a kind had: asked when a run is planned.
            models.Index(fields=["name", "-id"], name="step_history"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def kind(self) -> str:
        return self.name.split(":", 2)[0]

    @property
    def region_code(self) -> str:
        return [*self.name.split(":", 2), ""][1]

    @property
    def part(self) -> str:
        return [*self.name.split(":", 2), "", ""][2]


class HotSpotTrack(models.Model):
    """A hot spot's identity from run to run: born when first found, gone when a run finds it no more."""

    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="+", verbose_name=_("region"))
    category = models.CharField(max_length=32, blank=True, verbose_name=_("category"))
    born_at = models.DateTimeField(verbose_name=_("born"), help_text=_("The moment of the run that found it first."))
    last_seen_at = models.DateTimeField(verbose_name=_("last found"))
    gone_at = models.DateTimeField(null=True, blank=True, verbose_name=_("gone"))
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("merged into")
    )
    split_from = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("split from"))

    class Meta:
        verbose_name = _("hot spot track")
        verbose_name_plural = _("hot spot tracks")
        ordering = ["-last_seen_at", "id"]
        indexes = [
            # What a run compares its findings with.
            models.Index(fields=["region", "category"], name="track_living", condition=models.Q(gone_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"H{self.pk}"


class HotSpot(models.Model):
    """A place where incidents crowd, with why it is called so. Never changed once issued, but for ``is_current``."""

    class Change(models.TextChoices):
        BORN = "born", _("New")
        GROWN = "grown", _("Grown")
        SHRUNK = "shrunk", _("Shrunk")
        MOVED = "moved", _("Moved")
        STEADY = "steady", _("Unchanged")
        MERGED = "merged", _("Merged")
        SPLIT = "split", _("Split off")
        RETURNED = "returned", _("Back again")

    SIGNIFICANT_Q = 0.05  # at most this share of those called more than their surroundings is chance
    MODEL = "dbscan"  # the name of its card and its switch

    track = models.ForeignKey(
        HotSpotTrack, null=True, blank=True, on_delete=models.PROTECT, related_name="sightings", verbose_name=_("track")
    )
    change = models.CharField(max_length=8, choices=Change, blank=True, verbose_name=_("since the last run"))

    run = models.ForeignKey(PipelineRun, on_delete=models.PROTECT, related_name="hot_spots", verbose_name=_("run"))
    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="+", verbose_name=_("region"))
    governorate = models.ForeignKey(Zone, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("governorate"))
    area = models.ForeignKey(Zone, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("area"))
    category = models.CharField(max_length=32, blank=True, verbose_name=_("category"), help_text=_("Empty: all that may be modelled."))
    rank = models.PositiveIntegerField(verbose_name=_("rank"))
    hull = models.PolygonField(srid=4326, verbose_name=_("outline"))
    centre = models.PointField(srid=4326, spatial_index=False, verbose_name=_("centre"))
    incident_count = models.PositiveIntegerField(verbose_name=_("incidents"))
    area_km2 = models.FloatField(verbose_name=_("area in km²"))
    density_per_km2 = models.FloatField(verbose_name=_("incidents per km²"))
    severity_score = models.FloatField(verbose_name=_("severity-weighted score"))
    previous_count = models.PositiveIntegerField(null=True, blank=True, verbose_name=_("incidents in the window before"))
    previous_counts = models.JSONField(
        default=list, verbose_name=_("incidents in the windows before"), help_text=_("Equally long windows, the latest first.")
    )
    rate_ratio = models.FloatField(null=True, blank=True, verbose_name=_("rate ratio"), help_text=_("Now against the windows before."))
    rate_ratio_low = models.FloatField(null=True, blank=True, verbose_name=_("rate ratio, lower end (95 %)"))
    rate_ratio_high = models.FloatField(null=True, blank=True, verbose_name=_("rate ratio, upper end (95 %)"))
    background_count = models.FloatField(
        null=True, blank=True, verbose_name=_("expected by the local background"), help_text=_("Incidents the surroundings would put here.")
    )
    q_value = models.FloatField(
        null=True, blank=True, verbose_name=_("q value"), help_text=_("False-discovery rate, against the background.")
    )
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

    run = models.ForeignKey(PipelineRun, on_delete=models.PROTECT, related_name="forecasts", verbose_name=_("run"))
    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="+", verbose_name=_("region"))
    zone = models.ForeignKey(Zone, on_delete=models.PROTECT, related_name="+", verbose_name=_("zone"))
    category = models.CharField(max_length=32, blank=True, verbose_name=_("category"))
    day = models.DateField(verbose_name=_("day"))
    expected = models.FloatField(verbose_name=_("expected"))
    low = models.FloatField(verbose_name=_("low"))
    high = models.FloatField(verbose_name=_("high"))
    low_95 = models.FloatField(null=True, blank=True, verbose_name=_("low, 95 %"))
    high_95 = models.FloatField(null=True, blank=True, verbose_name=_("high, 95 %"))
    dispersion = models.FloatField(default=1.0, verbose_name=_("dispersion"), help_text=_("Variance over mean; 1 is Poisson."))
    baselines = models.JSONField(
        default=dict,
        verbose_name=_("baselines"),
        help_text=_("What counting alone said, frozen with it: by name, mean and dispersion."),
    )
    is_published = models.BooleanField(
        default=True, verbose_name=_("published"), help_text=_("No: only kept to be scored; a baseline stands in.")
    )
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
            models.UniqueConstraint(fields=["run", "zone", "category", "day", "is_published"], name="forecast_once"),
            models.CheckConstraint(
                condition=models.Q(low__gte=0, expected__gte=models.F("low"), high__gte=models.F("expected")), name="forecast_in_order"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.zone_id} {self.day}"
