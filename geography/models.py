"""Regions (each with its clock and its metres) and the zones inside them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.contrib.gis.db import models
from django.core.exceptions import ValidationError
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from geography.querysets import ZoneQuerySet


def validate_time_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValidationError(_("There is no time zone %(name)s.") % {"name": name}) from error


class Region(models.Model):
    """A stretch of the world with one civil clock and one metric projection. Kuwait is the default; others live beside it."""

    code = models.SlugField(max_length=16, unique=True, verbose_name=_("code"))
    name_en = models.CharField(max_length=120, verbose_name=_("English name"))
    name_ar = models.CharField(max_length=120, verbose_name=_("Arabic name"))
    time_zone = models.CharField(max_length=64, validators=[validate_time_zone], verbose_name=_("time zone"))
    metric_srid = models.PositiveIntegerField(verbose_name=_("metric projection (EPSG)"))
    is_default = models.BooleanField(default=False, verbose_name=_("default"))
    gazetteer_edition = models.CharField(max_length=64, blank=True, editable=False)  # what its approximate zones were drawn from

    class Meta:
        verbose_name = _("region")
        verbose_name_plural = _("regions")
        ordering = ["-is_default", "code"]
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"],
                condition=models.Q(is_default=True),
                name="region_one_default",
                violation_error_message=_("There is a default region already."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return self.name_ar if (get_language() or "").startswith("ar") else self.name_en

    @property
    def zone_info(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


class Zone(models.Model):
    """A named area: country > governorate > area > block, police sectors beside."""

    class Level(models.TextChoices):
        COUNTRY = "country", _("Country")
        GOVERNORATE = "governorate", _("Governorate")
        AREA = "area", _("Area")
        BLOCK = "block", _("Block")
        SECTOR = "sector", _("Police sector")

    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="zones", verbose_name=_("region"))
    level = models.CharField(max_length=12, choices=Level, verbose_name=_("level"))
    code = models.CharField(max_length=32, verbose_name=_("code"))
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children", verbose_name=_("part of"))
    name_en = models.CharField(max_length=120, verbose_name=_("English name"))
    name_ar = models.CharField(max_length=120, verbose_name=_("Arabic name"))
    population = models.PositiveIntegerField(null=True, blank=True, verbose_name=_("population"))
    boundary = models.MultiPolygonField(srid=4326, verbose_name=_("boundary"))
    label_point = models.PointField(srid=4326, spatial_index=False, verbose_name=_("label point"))
    is_approximate = models.BooleanField(default=False, verbose_name=_("approximate boundary"))
    is_active = models.BooleanField(default=True, verbose_name=_("in use"))
    updated_at = models.DateTimeField(auto_now=True)

    objects = ZoneQuerySet.as_manager()

    class Meta:
        verbose_name = _("zone")
        verbose_name_plural = _("zones")
        ordering = ["region", "level", "code"]
        constraints = [
            models.UniqueConstraint(
                fields=["region", "level", "code"],
                name="zone_code_once",
                violation_error_message=_("This level has a zone with this code already."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return self.name_ar if (get_language() or "").startswith("ar") else self.name_en


class ZonePiece(models.Model):
    """A zone's boundary cut into small pieces, so that a point meets a handful of vertices and not a coastline."""

    zone = models.ForeignKey(Zone, on_delete=models.CASCADE, related_name="pieces")
    region = models.ForeignKey(Region, on_delete=models.CASCADE, related_name="+")
    level = models.CharField(max_length=12, choices=Zone.Level)
    shape = models.PolygonField(srid=4326)

    class Meta:
        verbose_name = _("zone piece")
        verbose_name_plural = _("zone pieces")

    def __str__(self) -> str:
        return f"{self.zone_id} {self.pk}"
