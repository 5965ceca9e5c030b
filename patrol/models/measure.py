"""Did they go, how long, did it help: dosage from GPS, trials with holdout cells, reports."""

from __future__ import annotations

from django.conf import settings
from django.contrib.gis.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Agency
from geography.models import Region, Zone
from patrol.models.force import GOVERNORATE_ONLY, Unit
from patrol.models.plan import PlanStop
from patrol.querysets import DosageQuerySet, OfCellQuerySet, OfTrialQuerySet, OfUnitQuerySet, ScopedQuerySet


class StopDosage(models.Model):
    """What became of one planned stop, in seconds: ``planned = delivered + absent + unknown`` of its planned minutes; ``beyond`` is time in
    the fence outside them. Unknown is where no believed position says either."""

    stop = models.OneToOneField(PlanStop, primary_key=True, on_delete=models.CASCADE, related_name="dosage", verbose_name=_("stop"))
    planned_s = models.FloatField(verbose_name=_("planned (s)"))
    delivered_s = models.FloatField(verbose_name=_("delivered (s)"))
    absent_s = models.FloatField(verbose_name=_("absent (s)"))
    unknown_s = models.FloatField(verbose_name=_("unknown (s)"))
    beyond_s = models.FloatField(default=0, verbose_name=_("beyond plan (s)"))
    positions = models.PositiveIntegerField(default=0, verbose_name=_("positions"))
    too_blunt = models.PositiveIntegerField(default=0, verbose_name=_("positions too inaccurate"))
    first_inside_at = models.DateTimeField(null=True, blank=True, verbose_name=_("first inside at"))
    last_inside_at = models.DateTimeField(null=True, blank=True, verbose_name=_("last inside at"))
    measured_at = models.DateTimeField(verbose_name=_("measured at"))
    is_final = models.BooleanField(default=False, verbose_name=_("final"))
    unit = models.ForeignKey(
        Unit,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("unit"),
        help_text=_("Whose positions were read: the unit the stop was handed to, else the one it was planned for."),
    )

    objects = DosageQuerySet.as_manager()

    class Meta:
        verbose_name = _("dosage of a stop")
        verbose_name_plural = _("dosage of stops")
        ordering = ["stop"]

    def __str__(self) -> str:
        return f"{self.stop_id}"


class UnitDay(models.Model):
    """What one unit's positions show of one day: how long it was on duty, how much of that is known, how far it drove. Kept when the
    positions themselves are dropped."""

    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="+", verbose_name=_("unit"))
    day = models.DateField(verbose_name=_("day"), help_text=_("On the region's clock."))
    duty_s = models.FloatField(verbose_name=_("on duty (s)"))
    known_s = models.FloatField(verbose_name=_("of it known from positions (s)"))
    metres = models.FloatField(verbose_name=_("metres driven"))
    positions = models.PositiveIntegerField(default=0, verbose_name=_("positions"))
    doubted = models.PositiveIntegerField(default=0, verbose_name=_("positions in doubt"))
    measured_at = models.DateTimeField(verbose_name=_("measured at"))
    is_final = models.BooleanField(default=False, verbose_name=_("final"))

    objects = OfUnitQuerySet.as_manager()

    class Meta:
        verbose_name = _("day of a unit")
        verbose_name_plural = _("days of units")
        ordering = ["-day", "unit"]
        constraints = [models.UniqueConstraint(fields=["unit", "day"], name="unit_day_once")]
        indexes = [
            # The report of a window.
            models.Index(fields=["day"], name="unit_day_by_day"),
        ]

    def __str__(self) -> str:
        return f"{self.unit_id} {self.day}"


class Trial(models.Model):
    """A randomised trial: cells drawn, before the period begins, into treatment and control, stratum by stratum, with a seed. Sealed:
    neither the draw nor the period changes afterwards (a trigger holds it)."""

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        SEALED = "sealed", _("Sealed")
        REPORTED = "reported", _("Reported")
        STOPPED = "stopped", _("Stopped")

    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="+", verbose_name=_("region"))
    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="+", verbose_name=_("agency"))
    governorate = models.ForeignKey(
        Zone, on_delete=models.PROTECT, limit_choices_to=GOVERNORATE_ONLY, related_name="+", verbose_name=_("governorate")
    )
    name = models.CharField(max_length=120, verbose_name=_("name"))
    hypothesis = models.TextField(verbose_name=_("hypothesis"), help_text=_("Written down before the draw."))
    category = models.CharField(max_length=32, blank=True, verbose_name=_("category"), help_text=_("Empty: all that may be modelled."))
    state = models.CharField(max_length=8, choices=State, default=State.DRAFT, verbose_name=_("state"))
    starts_at = models.DateTimeField(verbose_name=_("from"))
    ends_at = models.DateTimeField(verbose_name=_("to"))
    baseline_days = models.PositiveSmallIntegerField(default=90, verbose_name=_("days before to compare with"))
    holdout_share = models.FloatField(default=0.5, verbose_name=_("share held out"))
    strata = models.PositiveSmallIntegerField(default=4, verbose_name=_("strata"))
    buffer_cells = models.PositiveSmallIntegerField(default=1, verbose_name=_("buffer ring in cells"))
    seed = models.BigIntegerField(verbose_name=_("seed"))
    srid = models.PositiveIntegerField(verbose_name=_("projection (EPSG)"))
    origin_x_m = models.FloatField()
    origin_y_m = models.FloatField()
    cell_m = models.FloatField(verbose_name=_("cell side in metres"))
    sealed_at = models.DateTimeField(null=True, blank=True, verbose_name=_("sealed at"))
    sealed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("sealed by")
    )
    sealed_sha256 = models.CharField(max_length=64, blank=True, verbose_name=_("seal (SHA-256)"))
    report = models.JSONField(null=True, blank=True, verbose_name=_("report"))
    reported_at = models.DateTimeField(null=True, blank=True, verbose_name=_("reported at"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("made by")
    )
    created_at = models.DateTimeField(auto_now_add=True)
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))
    parameters = models.JSONField(
        default=dict, verbose_name=_("parameters"), help_text=_("What the cells were chosen from, and the days counted before the draw.")
    )
    stopped_at = models.DateTimeField(null=True, blank=True, verbose_name=_("stopped at"))
    stopped_because = models.CharField(max_length=400, blank=True, verbose_name=_("stopped because"))

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("trial")
        verbose_name_plural = _("trials")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="trial_ends", violation_error_message=_("It must end after it begins.")
            ),
            models.CheckConstraint(
                condition=Q(sealed_at=None) | Q(sealed_at__lte=F("starts_at")),
                name="trial_sealed_before",
                violation_error_message=_("A trial is sealed before it begins."),
            ),
            models.CheckConstraint(
                condition=Q(holdout_share__gt=0, holdout_share__lt=1), name="trial_share", violation_error_message=_("Between 0 and 1.")
            ),
            models.CheckConstraint(
                condition=Q(sealed_by=None) | Q(created_by=None) | ~Q(sealed_by=F("created_by")),
                name="trial_two_people",
                violation_error_message=_("Another person seals it than the one who drew it."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class TrialCell(models.Model):
    """A cell of a trial and the arm it was drawn into."""

    class Arm(models.TextChoices):
        TREATMENT = "treatment", _("Treatment")
        CONTROL = "control", _("Control")
        BUFFER = "buffer", _("Buffer ring")

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="cells", verbose_name=_("trial"))
    column = models.IntegerField(verbose_name=_("column"))
    row = models.IntegerField(verbose_name=_("row"))
    arm = models.CharField(max_length=9, choices=Arm, verbose_name=_("arm"))
    stratum = models.PositiveSmallIntegerField(null=True, blank=True, verbose_name=_("stratum"))
    baseline_count = models.PositiveIntegerField(default=0, verbose_name=_("incidents before"))

    objects = OfTrialQuerySet.as_manager()

    class Meta:
        verbose_name = _("cell of a trial")
        verbose_name_plural = _("cells of trials")
        ordering = ["trial", "column", "row"]
        constraints = [models.UniqueConstraint(fields=["trial", "column", "row"], name="trial_cell_once")]

    def __str__(self) -> str:
        return f"{self.column}:{self.row} {self.arm}"


class TrialPresence(models.Model):
    """How long units of the agency were in a cell of a sealed trial on one day, by their positions: planned or not."""

    cell = models.ForeignKey(TrialCell, on_delete=models.PROTECT, related_name="presence", verbose_name=_("cell"))
    day = models.DateField(verbose_name=_("day"))
    seconds = models.FloatField(verbose_name=_("seconds"))

    objects = OfCellQuerySet.as_manager()

    class Meta:
        verbose_name = _("presence in a trial's cell")
        verbose_name_plural = _("presence in trials' cells")
        ordering = ["cell", "day"]
        constraints = [models.UniqueConstraint(fields=["cell", "day"], name="trial_presence_once")]

    def __str__(self) -> str:
        return f"{self.cell_id} {self.day}"
