"""What the detectors found in the readings, what people said of it, and how each metric is judged."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from iot.models.devices import Device
from iot.models.profiles import Metric
from iot.models.readings import Datastream
from iot.querysets import AnomalyQuerySet


class Detector(models.TextChoices):
    """The first seven follow each stream, the next two look at hours; then: a device has too many of them; a rule people wrote holds."""

    THRESHOLD = "threshold", _("Beyond its limit")
    RATE = "rate", _("Changes too fast")
    ROBUST = "robust", _("Spike")
    SEASONAL = "seasonal", _("Unlike this hour of the week")
    DRIFT = "drift", _("Drifts")
    STUCK = "stuck", _("Stuck")
    GAP = "gap", _("A hole in its readings")
    ISOLATION = "isolation", _("Unlike its profile")
    NEIGHBOURS = "neighbours", _("Unlike its neighbours")
    MANY = "many", _("Many anomalies")
    RULE = "rule", _("A rule holds")


STREAMING = (
    Detector.THRESHOLD, Detector.RATE, Detector.ROBUST, Detector.SEASONAL, Detector.DRIFT, Detector.STUCK, Detector.GAP,
)  # fmt: skip
BY_THE_HOUR = (Detector.ISOLATION, Detector.NEIGHBOURS)
SELECTABLE = STREAMING + BY_THE_HOUR


class AnomalySeverity(models.IntegerChoices):
    """As ``iot.analytics.severity.Severity``."""

    INFO = 0, pgettext_lazy("severity", "Info")
    LOW = 1, pgettext_lazy("severity", "Low")
    MEDIUM = 2, pgettext_lazy("severity", "Medium")
    HIGH = 3, pgettext_lazy("severity", "High")
    CRITICAL = 4, pgettext_lazy("severity", "Critical")

    @property
    def word(self) -> str:
        return self.name.lower()


class Anomaly(models.Model):
    """One finding of one detector on one stream, from its first bad reading until enough good ones, or a person's word."""

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("anomaly", "Open")
        ACKNOWLEDGED = "acknowledged", pgettext_lazy("anomaly", "Acknowledged")
        RESOLVED = "resolved", pgettext_lazy("anomaly", "Resolved")

    class Because(models.TextChoices):
        READINGS = "readings", _("Good readings came")
        PERSON = "person", _("A person said so")
        MERGED = "merged", _("Became part of “many anomalies”")
        DEVICE = "device", _("Its device is no longer in use")

    class Feedback(models.TextChoices):
        USEFUL = "useful", _("Useful")
        NOISE = "noise", _("Noise")

    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="anomalies", verbose_name=_("device"))
    datastream = models.ForeignKey(
        Datastream, null=True, blank=True, on_delete=models.PROTECT, related_name="anomalies", verbose_name=_("datastream")
    )
    detector = models.CharField(max_length=10, choices=Detector, verbose_name=_("detector"))
    rule = models.ForeignKey(
        "iot.TelemetryRule", null=True, blank=True, on_delete=models.PROTECT, related_name="anomalies", verbose_name=_("rule")
    )
    severity = models.PositiveSmallIntegerField(choices=AnomalySeverity, verbose_name=_("severity"))
    began_at = models.DateTimeField(verbose_name=_("since"))
    raised_at = models.DateTimeField(verbose_name=_("raised at"))
    last_at = models.DateTimeField(verbose_name=_("last bad reading"))
    ended_at = models.DateTimeField(null=True, blank=True, verbose_name=_("over since"))
    score = models.FloatField(verbose_name=_("score"), help_text=_("How far out at its worst: 1 is the limit."))
    count = models.PositiveIntegerField(default=1, verbose_name=_("times"))
    evidence = models.JSONField(default=dict, verbose_name=_("evidence"))
    state = models.CharField(max_length=12, choices=State, default=State.OPEN, verbose_name=_("state"))
    acknowledged_at = models.DateTimeField(null=True, blank=True, verbose_name=_("acknowledged at"))
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("acknowledged by")
    )
    because = models.CharField(max_length=8, choices=Because, blank=True, verbose_name=_("over because"))
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("resolved by")
    )
    resolved_note = models.CharField(max_length=500, blank=True, verbose_name=_("note"))
    feedback = models.CharField(max_length=6, choices=Feedback, blank=True, verbose_name=_("feedback"))
    feedback_at = models.DateTimeField(null=True, blank=True, verbose_name=_("feedback at"))
    feedback_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("feedback by")
    )
    feedback_note = models.CharField(max_length=500, blank=True, verbose_name=_("feedback in words"))

    objects = AnomalyQuerySet.as_manager()

    class Meta:
        verbose_name = _("anomaly")
        verbose_name_plural = _("anomalies")
        ordering = ["-raised_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["device", "datastream", "detector", "rule"],
                condition=~Q(state="resolved"),
                name="anomaly_one_open",
                nulls_distinct=False,
                violation_error_message=_("This detector has an open anomaly on this stream."),
            ),
            models.CheckConstraint(
                condition=Q(state="resolved", ended_at__isnull=False) | (~Q(state="resolved") & Q(ended_at=None)),
                name="anomaly_over_when_resolved",
                violation_error_message=_("What is resolved has an end, and nothing else has."),
            ),
            models.CheckConstraint(
                condition=Q(last_at__gte=F("began_at")), name="anomaly_lasts", violation_error_message=_("It ends after it began.")
            ),
        ]
        indexes = [
            # The queue: what is open, the worst and newest first.
            models.Index(fields=["-severity", "-raised_at"], name="anomaly_open", condition=~Q(state="resolved")),
            # A device's own; how many it had within the hour.
            models.Index(fields=["device", "-raised_at"], name="anomaly_of_device"),
            # All of them by time; usefulness of each detector.
            models.Index(fields=["-raised_at"], name="anomaly_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.device} · {self.get_detector_display()}"

    @property
    def is_open(self) -> bool:
        return self.state != self.State.RESOLVED


class DetectorSetting(models.Model):
    """How a metric is judged where its profile's own numbers are not enough. Without a row: see ``services.anomalies.tuning``."""

    metric = models.OneToOneField(Metric, on_delete=models.CASCADE, related_name="detector_setting", verbose_name=_("metric"))
    detectors = ArrayField(
        models.CharField(max_length=10, choices=[(one.value, one.label) for one in SELECTABLE]),
        default=list,
        blank=True,
        verbose_name=_("detectors that are on"),
        help_text=_("None: this metric is not judged at all."),
    )
    high = models.FloatField(
        null=True, blank=True, verbose_name=_("too high from"), help_text=_("Both limits empty: beyond the metric's own range.")
    )
    high_clear = models.FloatField(null=True, blank=True, verbose_name=_("… until back at"), help_text=_("Empty: a twentieth below it."))
    low = models.FloatField(null=True, blank=True, verbose_name=_("too low from"), help_text=_("Empty: no low limit."))
    low_clear = models.FloatField(null=True, blank=True, verbose_name=_("… until back at (low)"))
    sensitivity = models.FloatField(
        default=1.0,
        validators=[MinValueValidator(0.25), MaxValueValidator(4.0)],
        verbose_name=_("sensitivity"),
        help_text=_("Of spikes and hours of the week: 2 finds what is half as far out, 0.5 needs twice as much."),
    )
    resolves = models.FloatField(
        default=0.0, validators=[MinValueValidator(0.0)], verbose_name=_("resolution"),
        help_text=_("The smallest difference that means anything, in its unit."),
    )  # fmt: skip
    open_after = models.PositiveSmallIntegerField(
        default=1, validators=[MinValueValidator(1), MaxValueValidator(100)], verbose_name=_("bad readings until it is raised")
    )
    clear_after = models.PositiveSmallIntegerField(
        default=3, validators=[MinValueValidator(1), MaxValueValidator(100)], verbose_name=_("good readings until it is over")
    )
    clear_after_s = models.PositiveIntegerField(
        default=900, validators=[MaxValueValidator(7 * 86_400)], verbose_name=_("… over at least (s)")
    )
    weight = models.FloatField(
        default=1.0,
        validators=[MinValueValidator(0.2), MaxValueValidator(5.0)],
        verbose_name=_("weight"),
        help_text=_("How much it matters: 1 as any; 3 makes what is found more severe."),
    )
    changed_at = models.DateTimeField(auto_now=True, db_default=Now(), verbose_name=_("changed at"))

    class Meta:
        verbose_name = _("detector setting")
        verbose_name_plural = _("detector settings")
        ordering = ["metric"]
        constraints = [
            models.CheckConstraint(
                condition=Q(high=None) | Q(low=None) | Q(low__lt=F("high")),
                name="detector_limits_apart",
                violation_error_message=_("The low limit lies below the high one."),
            ),
            models.CheckConstraint(
                condition=Q(high_clear=None) | (Q(high__isnull=False) & Q(high_clear__lte=F("high"))),
                name="detector_high_clears",
                violation_error_message=_("It is back at or below the high limit, which must be given."),
            ),
            models.CheckConstraint(
                condition=Q(low_clear=None) | (Q(low__isnull=False) & Q(low_clear__gte=F("low"))),
                name="detector_low_clears",
                violation_error_message=_("It is back at or above the low limit, which must be given."),
            ),
            models.CheckConstraint(
                condition=Q(sensitivity__gte=0.25, sensitivity__lte=4.0, weight__gte=0.2, weight__lte=5.0, resolves__gte=0.0),
                name="detector_within_bounds",
                violation_error_message=_("Sensitivity is 0.25 to 4, weight 0.2 to 5, the resolution not below 0."),
            ),
            models.CheckConstraint(
                condition=Q(open_after__gte=1, clear_after__gte=1), name="detector_takes_readings",
                violation_error_message=_("It takes one reading at least to open and to close."),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return str(self.metric)
