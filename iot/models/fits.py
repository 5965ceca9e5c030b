"""What each night learnt of a profile, or why it could not: versions with what they were made from."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from iot.models.profiles import DeviceProfile
from iot.querysets import FitQuerySet


class ProfileFit(models.Model):
    """One night's fit of one profile. ``model`` holds arrays, no code, and is read only while it has its digest."""

    class State(models.TextChoices):
        FITTED = "fitted", pgettext_lazy("fit", "Fitted")
        TOO_LITTLE = "too_little", _("Too little to say")
        REFUSED = "refused", pgettext_lazy("fit", "Refused")

    class Why(models.TextChoices):
        NO_METRICS = "no_metrics", _("no metric takes part")
        FEW_DEVICES = "few_devices", _("too few devices in use")
        FEW_DAYS = "few_days", _("too few days of history")
        FEW_ROWS = "few_rows", _("too few whole hours")
        FEW_HELD_DAYS = "few_held_days", _("too few held-out days to bound false alarms")
        CORRUPT = "corrupt", _("what was kept is not what was written")

    profile = models.ForeignKey(DeviceProfile, on_delete=models.CASCADE, db_index=False, related_name="fits", verbose_name=_("profile"))
    version = models.PositiveIntegerField(verbose_name=_("version"))
    at = models.DateTimeField(db_default=Now(), verbose_name=_("at"))
    since = models.DateTimeField(verbose_name=_("from"))
    until = models.DateTimeField(verbose_name=_("to"))
    state = models.CharField(max_length=10, choices=State, verbose_name=_("state"))
    why = models.CharField(max_length=13, choices=Why, blank=True, verbose_name=_("why"))
    devices = models.PositiveIntegerField(default=0, verbose_name=_("devices"))
    facts = models.JSONField(default=dict, verbose_name=_("facts"))
    model = models.BinaryField(null=True, editable=False, verbose_name=_("model"))
    digest = models.CharField(max_length=64, blank=True, verbose_name="SHA-256")
    is_current = models.BooleanField(default=False, verbose_name=_("current"))
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))
    seconds = models.FloatField(default=0.0, verbose_name=_("took (s)"))
    code_version = models.CharField(max_length=64, verbose_name=_("code version"))

    objects = FitQuerySet.as_manager()

    class Meta:
        verbose_name = _("nightly fit")
        verbose_name_plural = _("nightly fits")
        ordering = ["-at", "-pk"]
        constraints = [
            # Also: a profile's versions.
            models.UniqueConstraint(
                fields=["profile", "version"], name="fit_version_once", violation_error_message=_("This version is there already.")
            ),
            models.UniqueConstraint(
                fields=["profile"],
                condition=Q(is_current=True),
                name="fit_one_current",
                violation_error_message=_("This profile has a current fit."),
            ),
            models.CheckConstraint(
                condition=Q(is_current=False) | Q(state="fitted", model__isnull=False),
                name="fit_current_is_fitted",
                violation_error_message=_("Only what was fitted is gone by."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.profile_id} v{self.version}"
