"""Who reports, what kinds of incident there are, and how a source's words become ours."""

from __future__ import annotations

from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts.models import Agency
from geography.models import Region
from incidents.lifecycle import Priority, Severity
from incidents.querysets import SourceQuerySet


class Source(models.Model):
    """A system reports come from. Its identity, with a message's own id, makes a report unique."""

    slug = models.SlugField(max_length=48, unique=True, verbose_name=_("short name"))
    name = models.CharField(max_length=120, verbose_name=_("name"))
    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="sources", verbose_name=_("agency"))
    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="+", verbose_name=_("region"))
    time_zone = models.CharField(max_length=64, blank=True, verbose_name=_("time zone of its times"), help_text=_("Empty: the region's."))
    column_mapping = models.JSONField(
        default=dict,
        blank=True,
        verbose_name=_("column mapping"),
        help_text=_("Our field to the file's column, kept from the last import."),
    )
    is_active = models.BooleanField(default=True, verbose_name=_("in use"))
    last_received_at = models.DateTimeField(null=True, blank=True, verbose_name=_("last received"))
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SourceQuerySet.as_manager()

    class Meta:
        verbose_name = _("source")
        verbose_name_plural = _("sources")
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name


class IncidentType(models.Model):
    """A kind of incident, in our words."""

    class Icon(models.TextChoices):
        FIRE = "fire", _("Fire")
        MEDICAL = "medical", _("Medical")
        CRASH = "crash", _("Road accident")
        TRAFFIC = "traffic", _("Traffic")
        THEFT = "theft", _("Theft")
        VEHICLE = "vehicle", _("Vehicle")
        VIOLENCE = "violence", _("Violence")
        DRUGS = "drugs", _("Drugs")
        DISORDER = "disorder", _("Disorder")
        HAZARD = "hazard", _("Hazard")
        SERVICE = "service", _("Public service")
        OTHER = "other", _("Other")

    code = models.SlugField(max_length=64, unique=True, verbose_name=_("code"))
    name_en = models.CharField(max_length=120, verbose_name=_("English name"))
    name_ar = models.CharField(max_length=120, blank=True, verbose_name=_("Arabic name"))
    category = models.SlugField(max_length=32, default="other", verbose_name=_("category"))
    agency = models.ForeignKey(
        Agency, null=True, blank=True, on_delete=models.PROTECT, related_name="incident_types", verbose_name=_("answering agency")
    )
    default_priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.P3, verbose_name=_("default priority"))
    default_severity = models.PositiveSmallIntegerField(choices=Severity, default=Severity.MEDIUM, verbose_name=_("default severity"))
    icon = models.CharField(max_length=16, choices=Icon, default=Icon.OTHER, verbose_name=_("icon"))
    enforcement_sensitive = models.BooleanField(
        default=False,
        verbose_name=_("driven by enforcement"),
        help_text=_("Counts of this type follow where officers are sent; it is never modelled."),
    )
    is_reviewed = models.BooleanField(
        default=True,
        verbose_name=_("reviewed"),
        help_text=_("A type first met in a feed is usable, but unreviewed until somebody maps or confirms it."),
    )
    is_active = models.BooleanField(default=True, verbose_name=_("in use"))

    class Meta:
        verbose_name = _("incident type")
        verbose_name_plural = _("incident types")
        ordering = ["category", "code"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(default_priority__range=(1, 5)),
                name="type_priority_1_to_5",
                violation_error_message=_("Priority is 1 to 5."),
            ),
            models.CheckConstraint(
                condition=models.Q(default_severity__range=(1, 4)),
                name="type_severity_1_to_4",
                violation_error_message=_("Severity is 1 to 4."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return self.name_ar or self.name_en if (get_language() or "").startswith("ar") else self.name_en


class TypeMapping(models.Model):
    """A source's word for a type, folded for comparison."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="type_mappings", verbose_name=_("source"))
    word = models.CharField(max_length=160, verbose_name=_("the source's word"))
    type = models.ForeignKey(IncidentType, on_delete=models.PROTECT, related_name="mappings", verbose_name=_("our type"))

    class Meta:
        verbose_name = _("type mapping")
        verbose_name_plural = _("type mappings")
        ordering = ["source", "word"]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "word"], name="type_word_once", violation_error_message=_("This word is mapped already.")
            )
        ]

    def __str__(self) -> str:
        return f"{self.word} → {self.type}"


class SeverityMapping(models.Model):
    """A source's word for a severity; a row without a source holds for all of them."""

    source = models.ForeignKey(
        Source, null=True, blank=True, on_delete=models.CASCADE, related_name="severity_mappings", verbose_name=_("source")
    )
    word = models.CharField(max_length=64, verbose_name=_("the source's word"))
    severity = models.PositiveSmallIntegerField(choices=Severity, verbose_name=_("severity"))

    class Meta:
        verbose_name = _("severity mapping")
        verbose_name_plural = _("severity mappings")
        ordering = ["source", "word"]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "word"],
                nulls_distinct=False,
                name="severity_word_once",
                violation_error_message=_("This word is mapped already."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.word} → {self.get_severity_display()}"
