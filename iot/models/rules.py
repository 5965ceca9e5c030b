"""Rules people write about readings, and each time one held for a device."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import Agency
from geography.models import Zone
from incidents.models import Incident, IncidentType
from iot.models.anomalies import AnomalySeverity
from iot.models.devices import GOVERNORATE_ONLY, Device
from iot.models.profiles import in_language
from iot.querysets import FiringQuerySet, ScopedQuerySet


class RuleAction(models.TextChoices):
    ANOMALY = "anomaly", _("An anomaly in the queue")
    EVENT = "event", _("An event that alert rules hear")
    DRAFT = "draft", _("The draft of an incident, for a person to confirm")
    COMMAND = "command", _("A command to the device")


class TelemetryRule(models.Model):
    """When ``condition`` (``iot.rules.conditions``) holds for a device of its agency, ``actions`` follow."""

    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="telemetry_rules", verbose_name=_("agency"))
    governorate = models.ForeignKey(
        Zone, null=True, blank=True, on_delete=models.PROTECT, limit_choices_to=GOVERNORATE_ONLY, related_name="+",
        verbose_name=_("governorate"), help_text=_("Empty: every governorate."),
    )  # fmt: skip
    name_en = models.CharField(max_length=120, verbose_name=_("English name"))
    name_ar = models.CharField(max_length=120, verbose_name=_("Arabic name"))
    condition = models.JSONField(verbose_name=_("condition"))
    severity = models.PositiveSmallIntegerField(choices=AnomalySeverity, default=AnomalySeverity.MEDIUM, verbose_name=_("severity"))
    actions = ArrayField(models.CharField(max_length=8, choices=RuleAction), verbose_name=_("actions"))
    incident_type = models.ForeignKey(
        IncidentType, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("type of the incident"),
        help_text=_("Of the draft."),
    )  # fmt: skip
    command = models.JSONField(null=True, blank=True, verbose_name=_("command"), help_text=_("What the device is told: a JSON object."))
    cooldown_s = models.PositiveIntegerField(
        default=1_800, validators=[MaxValueValidator(7 * 86_400)], verbose_name=_("quiet after it (s)"),
        help_text=_("For the same device, from when it fired."),
    )  # fmt: skip
    is_active = models.BooleanField(default=False, verbose_name=_("in use"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+",
        verbose_name=_("written by"),
    )  # fmt: skip
    created_at = models.DateTimeField(db_default=Now(), editable=False, verbose_name=_("written at"))

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("sensor rule")
        verbose_name_plural = _("sensor rules")
        ordering = ["agency", "name_en", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(actions__contains=["draft"]) | Q(incident_type__isnull=False),
                name="sensor_rule_draft_has_a_type",
                violation_error_message=_("The draft of an incident needs its type."),
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return in_language(self.name_en, self.name_ar)


class RuleFiring(models.Model):
    """A rule held for a device: from its first reading to the first that says otherwise; and what became of its draft."""

    class Draft(models.TextChoices):
        NONE = "", "–"
        WAITING = "waiting", pgettext_lazy("draft", "Waits for a person")
        CONFIRMED = "confirmed", pgettext_lazy("draft", "Confirmed")
        DISMISSED = "dismissed", pgettext_lazy("draft", "Dismissed")

    rule = models.ForeignKey(TelemetryRule, on_delete=models.PROTECT, related_name="firings", verbose_name=_("rule"))
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="rule_firings", verbose_name=_("device"))
    began_at = models.DateTimeField(verbose_name=_("since"))
    fired_at = models.DateTimeField(verbose_name=_("fired at"))
    ended_at = models.DateTimeField(null=True, blank=True, verbose_name=_("over since"))
    facts = models.JSONField(default=dict, verbose_name=_("values"))
    draft = models.CharField(max_length=9, choices=Draft, blank=True, default=Draft.NONE, verbose_name=_("draft"))
    incident = models.ForeignKey(
        Incident, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("incident")
    )  # fmt: skip
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("decided by")
    )
    decided_at = models.DateTimeField(null=True, blank=True, verbose_name=_("decided at"))

    objects = FiringQuerySet.as_manager()

    class Meta:
        verbose_name = _("firing of a sensor rule")
        verbose_name_plural = _("firings of sensor rules")
        ordering = ["-fired_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "device"], condition=Q(ended_at=None), name="firing_one_open",
                violation_error_message=_("This rule holds for this device already."),
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("began_at")), name="firing_ends_after_it_began",
                violation_error_message=_("It ends after it began."),
            ),
        ]  # fmt: skip
        indexes = [
            # Whether it is still quiet; a rule's history.
            models.Index(fields=["rule", "device", "-began_at"], name="firing_of_rule"),
            # Drafts that wait for a person.
            models.Index(fields=["-fired_at"], name="firing_draft_waits", condition=Q(draft="waiting")),
        ]

    def __str__(self) -> str:
        return f"{self.rule} · {self.device}"
