"""What devices of one make have in common: what they measure, how often they speak, how their payload is read."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

WORD = RegexValidator(r"^[a-z][a-z0-9_]*$", _("Small Latin letters, digits and underscores, a letter first."))


def in_language(english: str, arabic: str) -> str:
    return arabic if arabic and (get_language() or "").startswith("ar") else english


class DeviceKind(models.TextChoices):
    ENVIRONMENT = "environment", _("Air and weather")
    WATER = "water", _("Water")
    SMOKE = "smoke", _("Smoke and heat")
    MOTION = "motion", _("Motion")
    CROWD = "crowd", _("Crowd density")
    CAMERA = "camera", _("Camera")
    PLATES = "plates", _("Plate counter")
    GATEWAY = "gateway", _("Gateway")
    OTHER = "other", _("Other device")


class DeviceProfile(models.Model):
    """One make of device. Limits and cadence are judged by it; ``decoder`` names how a gateway reads its payload."""

    code = models.CharField(max_length=48, unique=True, validators=[WORD], verbose_name=_("code"))
    name_en = models.CharField(max_length=120, verbose_name=_("English name"))
    name_ar = models.CharField(max_length=120, verbose_name=_("Arabic name"))
    kind = models.CharField(max_length=12, choices=DeviceKind, verbose_name=_("kind"))
    decoder = models.CharField(
        max_length=48, blank=True, verbose_name=_("decoder"), help_text=_("Empty: readings come in our own form, as JSON.")
    )
    decoder_settings = models.JSONField(default=dict, blank=True, verbose_name=_("decoder's settings"))
    expected_every_s = models.PositiveIntegerField(
        default=300,
        validators=[MinValueValidator(1), MaxValueValidator(7 * 86_400)],
        verbose_name=_("speaks every (s)"),
        help_text=_("Silent for three times as long, a device is offline."),
    )
    keep_raw_days = models.PositiveSmallIntegerField(
        default=14,
        validators=[MinValueValidator(1), MaxValueValidator(3_650)],
        verbose_name=_("keep each reading (days)"),
        help_text=_("Minutes, hours and days are kept longer. Older readings are not taken any more."),
    )
    most_per_min = models.PositiveIntegerField(
        default=120,
        validators=[MinValueValidator(1), MaxValueValidator(600_000)],
        verbose_name=_("most readings a minute"),
        help_text=_("Of one device. What is more is refused, and others are unharmed."),
    )
    is_active = models.BooleanField(default=True, verbose_name=_("in use"))

    class Meta:
        verbose_name = _("device profile")
        verbose_name_plural = _("device profiles")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(expected_every_s__gte=1), name="profile_speaks", violation_error_message=_("At least one second.")
            ),
            models.CheckConstraint(condition=Q(keep_raw_days__gte=1), name="profile_keeps", violation_error_message=_("At least one day.")),
            models.CheckConstraint(
                condition=Q(most_per_min__gte=1), name="profile_may_speak", violation_error_message=_("At least one a minute.")
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return in_language(self.name_en, self.name_ar)


class Metric(models.Model):
    """One thing that devices of a profile measure."""

    profile = models.ForeignKey(DeviceProfile, on_delete=models.CASCADE, related_name="metrics", verbose_name=_("profile"))
    code = models.CharField(max_length=48, validators=[WORD], verbose_name=_("code"))
    name_en = models.CharField(max_length=80, verbose_name=_("English name"))
    name_ar = models.CharField(max_length=80, verbose_name=_("Arabic name"))
    unit = models.CharField(max_length=16, blank=True, verbose_name=_("unit"))
    least = models.FloatField(null=True, blank=True, verbose_name=_("least"), help_text=_("A reading below it is kept and not believed."))
    most = models.FloatField(null=True, blank=True, verbose_name=_("most"))
    most_change_per_min = models.FloatField(null=True, blank=True, verbose_name=_("most change a minute"))
    stuck_after_s = models.PositiveIntegerField(
        null=True, blank=True, verbose_name=_("stuck after (s)"), help_text=_("The very same value for so long is doubted.")
    )

    class Meta:
        verbose_name = _("metric")
        verbose_name_plural = _("metrics")
        ordering = ["profile", "code"]
        constraints = [
            models.UniqueConstraint(
                fields=["profile", "code"], name="metric_once", violation_error_message=_("This profile has a metric with this code.")
            ),
            models.CheckConstraint(
                condition=Q(least=None) | Q(most=None) | Q(least__lt=F("most")),
                name="metric_has_a_range",
                violation_error_message=_("The least is below the most."),
            ),
            models.CheckConstraint(
                condition=Q(most_change_per_min=None) | Q(most_change_per_min__gt=0),
                name="metric_may_change",
                violation_error_message=_("A change above nothing, or none said."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.unit})" if self.unit else self.name

    @property
    def name(self) -> str:
        return in_language(self.name_en, self.name_ar)
