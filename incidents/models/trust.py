"""What keeps predictions honest: the choice of a model, its card, its score, its switch, what people hold back, what patrol is handed."""

from __future__ import annotations

from django.conf import settings
from django.contrib.gis.db import models
from django.contrib.postgres.fields import ArrayField
from django.utils.translation import gettext_lazy as _

from geography.models import Region, Zone
from incidents.models.analytics import PipelineRun
from incidents.models.surfaces import Surface
from incidents.querysets import HandoverQuerySet, ScoreQuerySet, SuppressionQuerySet


class Predicts(models.TextChoices):
    RISK = "risk", _("Risk surface")
    FORECAST = "forecast", _("Forecast")


class ModelChoice(models.Model):
    """The gate: which model is published for one level and category, decided by a backtest, with its reasons. Frozen but ``is_current``."""

    run = models.ForeignKey(PipelineRun, on_delete=models.PROTECT, related_name="choices", verbose_name=_("run"))
    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="+", verbose_name=_("region"))
    predicts = models.CharField(max_length=8, choices=Predicts, verbose_name=_("predicts"))
    level = models.CharField(
        max_length=12, verbose_name=_("level"), help_text=_("Risk: the horizon. Forecast: country, governorate, area.")
    )
    category = models.CharField(max_length=32, blank=True, verbose_name=_("category"))
    champion = models.CharField(max_length=48, verbose_name=_("best model"))
    best_baseline = models.CharField(max_length=48, verbose_name=_("best baseline"))
    published = models.CharField(max_length=48, verbose_name=_("published"), help_text=_("The best model, or the baseline that stands in."))
    beats_baseline = models.BooleanField(verbose_name=_("beats the baseline"))
    reasons = models.JSONField(default=list, verbose_name=_("reasons"), help_text=_("Each a code with its figures."))
    scores = models.JSONField(default=dict, verbose_name=_("scores"), help_text=_("By model and metric: value, lower and upper end."))
    origins = models.PositiveIntegerField(verbose_name=_("backtest origins"))
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))
    is_current = models.BooleanField(default=False, verbose_name=_("current"))

    class Meta:
        verbose_name = _("model choice")
        verbose_name_plural = _("model choices")
        ordering = ["-id"]
        indexes = [
            # The page: what is published, and why.
            models.Index(fields=["region", "predicts", "level"], name="choice_current", condition=models.Q(is_current=True)),
        ]

    def __str__(self) -> str:
        return f"{self.published} ({self.level})"


class Score(models.Model):
    """What one prediction was worth once its time had passed. Append-only."""

    predicts = models.CharField(max_length=8, choices=Predicts, verbose_name=_("predicts"))
    run = models.ForeignKey(PipelineRun, on_delete=models.PROTECT, related_name="scores", verbose_name=_("issued by run"))
    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="+", verbose_name=_("region"))
    zone = models.ForeignKey(
        Zone,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("zone"),
        help_text=_("Empty: the whole region."),
    )
    category = models.CharField(max_length=32, blank=True, verbose_name=_("category"))
    level = models.CharField(max_length=12, verbose_name=_("level"), help_text=_("Risk: the horizon. Forecast: the zone's level."))
    model = models.CharField(max_length=48, verbose_name=_("model"))
    role = models.CharField(max_length=9, choices=Surface.Role, verbose_name=_("role"))
    valid_from = models.DateTimeField(verbose_name=_("valid from"))
    valid_to = models.DateTimeField(verbose_name=_("valid to"))
    scored_at = models.DateTimeField(auto_now_add=True, verbose_name=_("scored at"))
    incident_count = models.PositiveIntegerField(verbose_name=_("incidents"))
    facts = models.JSONField(
        default=dict,
        verbose_name=_("figures"),
        help_text=_("Sums to pool and figures to read: PAI, PEI*, hit rate at 1, 3, 5 %; error, CRPS, coverage."),
    )
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))
    is_hindcast = models.BooleanField(
        default=False,
        verbose_name=_("looks back"),
        help_text=_("Made when its time had begun or passed already: a rehearsal, kept out of the running score."),
    )

    objects = ScoreQuerySet.as_manager()

    class Meta:
        verbose_name = _("score")
        verbose_name_plural = _("scores")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["run", "predicts", "region", "zone", "category", "level", "model", "role", "valid_from"],
                nulls_distinct=False,
                name="score_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.pk}"


class ModelCard(models.Model):
    """What a run says of a model it used: data, parameters, code, seed, scores, limits. Append-only."""

    run = models.ForeignKey(PipelineRun, on_delete=models.PROTECT, related_name="cards", verbose_name=_("run"))
    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="+", verbose_name=_("region"))
    model = models.CharField(max_length=48, verbose_name=_("model"))
    facts = models.JSONField(default=dict, verbose_name=_("facts"))
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("model card")
        verbose_name_plural = _("model cards")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["run", "region", "model"], name="card_once")]

    def __str__(self) -> str:
        return self.model


class ModelSwitch(models.Model):
    """A model somebody has switched off. No row, or ``is_on``: it may be published."""

    model = models.CharField(max_length=48, unique=True, verbose_name=_("model"))
    is_on = models.BooleanField(default=True, verbose_name=_("on"))
    reason = models.CharField(max_length=400, blank=True, verbose_name=_("reason"))
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("changed by")
    )
    changed_at = models.DateTimeField(auto_now=True, verbose_name=_("changed at"))

    class Meta:
        verbose_name = _("model switch")
        verbose_name_plural = _("model switches")
        ordering = ["model"]

    def __str__(self) -> str:
        return self.model


class Suppression(models.Model):
    """A place a person has taken out of what is handed to patrol, with a reason and an end."""

    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="+", verbose_name=_("region"))
    governorate = models.ForeignKey(Zone, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("governorate"))
    category = models.CharField(max_length=32, blank=True, verbose_name=_("category"), help_text=_("Empty: all categories."))
    centre = models.PointField(srid=4326, spatial_index=False, verbose_name=_("centre"))
    radius_m = models.FloatField(verbose_name=_("radius in metres"))
    reason = models.CharField(max_length=400, verbose_name=_("reason"))
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("suppressed by"))
    created_at = models.DateTimeField(auto_now_add=True, verbose_name=_("suppressed at"))
    expires_at = models.DateTimeField(verbose_name=_("until"))
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("lifted by")
    )
    lifted_at = models.DateTimeField(null=True, blank=True, verbose_name=_("lifted at"))

    objects = SuppressionQuerySet.as_manager()

    class Meta:
        verbose_name = _("suppression")
        verbose_name_plural = _("suppressions")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(reason=""), name="suppression_has_reason", violation_error_message=_("Give a reason.")
            ),
            models.CheckConstraint(
                condition=models.Q(radius_m__gt=0, radius_m__lte=5_000),
                name="suppression_radius",
                violation_error_message=_("The radius is above 0 and at most 5,000 m."),
            ),
            models.CheckConstraint(
                condition=models.Q(expires_at__gt=models.F("created_at")),
                name="suppression_ends",
                violation_error_message=_("It must end after it begins."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.radius_m:.0f} m"


class Handover(models.Model):
    """The cells handed to patrol for one shift: risk, metered by the exposure cap, with a share chosen to explore. Append-only."""

    surface = models.ForeignKey(Surface, on_delete=models.PROTECT, related_name="handovers", verbose_name=_("surface"))
    governorate = models.ForeignKey(Zone, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("governorate"))
    shift_from = models.DateTimeField(verbose_name=_("shift from"))
    shift_to = models.DateTimeField(verbose_name=_("shift to"))
    seed = models.BigIntegerField(verbose_name=_("seed"))
    parameters = models.JSONField(default=dict, verbose_name=_("parameters"))
    columns = ArrayField(models.IntegerField())
    rows = ArrayField(models.IntegerField())
    reasons = ArrayField(models.CharField(max_length=12), help_text=_("risk or explore, cell by cell."))
    capped = models.PositiveIntegerField(default=0, verbose_name=_("left out by the cap"))
    suppressed = models.PositiveIntegerField(default=0, verbose_name=_("left out by people"))
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("requested by")
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = HandoverQuerySet.as_manager()

    class Meta:
        verbose_name = _("handover to patrol")
        verbose_name_plural = _("handovers to patrol")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["surface", "governorate", "shift_from"], nulls_distinct=False, name="handover_once")]

    def __str__(self) -> str:
        return f"{self.shift_from:%Y-%m-%d %H:%M}"
