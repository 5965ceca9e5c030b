"""Results that lie on a grid of square cells: risk, significance, density, change; and the near-repeat test."""

from __future__ import annotations

from django.contrib.gis.db import models
from django.contrib.postgres.fields import ArrayField
from django.utils.translation import gettext_lazy as _

from geography.models import Region, Zone
from incidents.models.analytics import PipelineRun
from incidents.querysets import NearRepeatQuerySet, SurfaceQuerySet


class Surface(models.Model):
    """One value per cell of a square grid, as columns of equal length. Never changed once issued, but for ``is_current``.

    Cell ``k`` covers ``[origin_x_m + column[k] * cell_m, … + cell_m)`` by the same in y, in the region's metric projection.
    """

    class Kind(models.TextChoices):
        RISK = "risk", _("Risk")
        GI_STAR = "gi_star", _("Significance (Gi*)")
        DENSITY = "density", _("Density")
        CHANGE = "change", _("Change")

    class Horizon(models.TextChoices):
        SHIFT = "shift", _("Next shift")
        DAY = "day", _("Next day")
        WEEK = "week", _("Next week")
        MONTH = "month", _("Next month")

    class Role(models.TextChoices):
        PUBLISHED = "published", _("Published")
        BASELINE = "baseline", _("Baseline")
        HELD_BACK = "held_back", _("Held back")  # a model that lost its backtest or is off: kept to be scored, not shown

    run = models.ForeignKey(PipelineRun, on_delete=models.PROTECT, related_name="surfaces", verbose_name=_("run"))
    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="+", verbose_name=_("region"))
    kind = models.CharField(max_length=8, choices=Kind, verbose_name=_("kind"))
    category = models.CharField(max_length=32, blank=True, verbose_name=_("category"), help_text=_("Empty: all that may be modelled."))
    horizon = models.CharField(max_length=8, choices=Horizon, blank=True, verbose_name=_("horizon"))
    role = models.CharField(max_length=9, choices=Role, default=Role.PUBLISHED, verbose_name=_("role"))
    model = models.CharField(max_length=48, verbose_name=_("model"))
    learnt_from = models.DateTimeField(verbose_name=_("data from"))
    learnt_to = models.DateTimeField(verbose_name=_("data to"))
    valid_from = models.DateTimeField(null=True, blank=True, verbose_name=_("valid from"))
    valid_to = models.DateTimeField(null=True, blank=True, verbose_name=_("valid to"))
    srid = models.PositiveIntegerField(verbose_name=_("projection (EPSG)"))
    origin_x_m = models.FloatField()
    origin_y_m = models.FloatField()
    cell_m = models.FloatField(verbose_name=_("cell side in metres"))
    columns = ArrayField(models.IntegerField())
    rows = ArrayField(models.IntegerField())
    values = ArrayField(models.FloatField(), help_text=_("Risk: expected incidents; Gi*: z; density: per km²; change: difference per km²."))
    classes = ArrayField(models.SmallIntegerField(), default=list, help_text=_("What the map colours; 0 is not significant."))
    governorate_ids = ArrayField(models.BigIntegerField(), default=list, help_text=_("0: in none."))
    area_ids = ArrayField(models.BigIntegerField(), default=list)
    part_names = ArrayField(models.CharField(max_length=32), default=list, help_text=_("What went into each value."))
    parts = ArrayField(models.FloatField(), default=list, help_text=_("Cell by cell, part by part."))
    parameters = models.JSONField(default=dict, verbose_name=_("parameters"))
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))
    is_current = models.BooleanField(default=False, verbose_name=_("current"))

    objects = SurfaceQuerySet.as_manager()

    class Meta:
        verbose_name = _("surface")
        verbose_name_plural = _("surfaces")
        ordering = ["-id"]
        indexes = [
            # The map: what stands now.
            models.Index(fields=["region", "kind", "category"], name="surface_current", condition=models.Q(is_current=True)),
            # The scorer: risk surfaces whose time has passed.
            models.Index(fields=["valid_to"], name="surface_due", condition=models.Q(kind="risk")),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"


class NearRepeat(models.Model):
    """The Knox test of one category in one governorate: are incidents followed by others close by more often than chance has it?"""

    MODEL = "near_repeat"  # the name of its card and its switch

    run = models.ForeignKey(PipelineRun, on_delete=models.PROTECT, related_name="near_repeats", verbose_name=_("run"))
    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="+", verbose_name=_("region"))
    governorate = models.ForeignKey(
        Zone, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("governorate"), help_text=_("Empty: all.")
    )
    category = models.CharField(max_length=32, verbose_name=_("category"))
    within_m = models.FloatField(verbose_name=_("within metres"))
    within_days = models.FloatField(verbose_name=_("within days"))
    incident_count = models.PositiveIntegerField(verbose_name=_("incidents"))
    observed_pairs = models.PositiveIntegerField(verbose_name=_("pairs observed"))
    expected_pairs = models.FloatField(verbose_name=_("pairs expected"))
    ratio = models.FloatField(null=True, blank=True, verbose_name=_("Knox ratio"))
    p_value = models.FloatField(null=True, blank=True, verbose_name=_("p value"))
    q_value = models.FloatField(null=True, blank=True, verbose_name=_("q value"))
    is_significant = models.BooleanField(default=False, verbose_name=_("significant"))
    permutations = models.PositiveIntegerField(verbose_name=_("permutations"))
    seed = models.BigIntegerField(verbose_name=_("seed"))
    bands = models.JSONField(default=list, verbose_name=_("bands"), help_text=_("One row per distance and time band."))
    learnt_from = models.DateTimeField(verbose_name=_("data from"))
    learnt_to = models.DateTimeField(verbose_name=_("data to"))
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))
    is_current = models.BooleanField(default=False, verbose_name=_("current"))

    objects = NearRepeatQuerySet.as_manager()

    class Meta:
        verbose_name = _("near-repeat test")
        verbose_name_plural = _("near-repeat tests")
        ordering = ["-id"]
        indexes = [
            # The live alert: does this category repeat here?
            models.Index(fields=["region", "category"], name="near_repeat_current", condition=models.Q(is_current=True)),
        ]

    def __str__(self) -> str:
        return f"{self.category} {self.pk}"
