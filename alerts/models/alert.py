"""An alert, what it groups, and everything that was done with it."""

from __future__ import annotations

from django.conf import settings
from django.contrib.gis.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import Agency
from alerts.choices import Level, Through
from alerts.models.rule import AlertRule, Inhibition, Silence
from alerts.querysets import AlertQuerySet
from geography.models import Zone
from incidents.models import Incident


class AlertState(models.TextChoices):
    FIRING = "firing", pgettext_lazy("alert", "Firing")
    ACKNOWLEDGED = "acknowledged", pgettext_lazy("alert", "Acknowledged")
    RESOLVED = "resolved", pgettext_lazy("alert", "Resolved")


class Alert(models.Model):
    """Something a person must hear of. It fires until somebody acknowledges it, and is open until it is resolved.

    Snoozed, muted, silenced and inhibited are not states but flags with an end: when it comes, what is still wrong fires again. The same
    ``fingerprint`` (rule and group) has one open alert at most; what comes within the group's window joins it as an ``Occurrence``.
    It moves only through ``alerts.services.alerts``.
    """

    class Kind(models.TextChoices):
        RULE = "rule", _("By a rule")
        MANUAL = "manual", _("By a person")
        COVERAGE = "coverage", _("Nobody could be reached")
        AUDIT = "audit", _("By the auditor")
        STORM = "storm", _("A rule storms")
        OUTSIDE = "outside", _("A warning from outside")

    class Because(models.TextChoices):
        HAND = "hand", _("by a person")
        RECOVERY = "recovery", _("by recovery")
        TIME = "time", _("by time")

    key = models.UUIDField(unique=True, verbose_name=_("key"))
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.RULE, verbose_name=_("kind"))
    rule = models.ForeignKey(AlertRule, null=True, blank=True, on_delete=models.PROTECT, related_name="alerts", verbose_name=_("rule"))
    rule_version = models.PositiveIntegerField(null=True, blank=True, verbose_name=_("version of the rule"))
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="children", verbose_name=_("because of"),
        help_text=_("The alert whose paging found nobody; the alert it was refired from."),
    )  # fmt: skip
    fingerprint = models.CharField(max_length=64, verbose_name=_("fingerprint"))
    state = models.CharField(max_length=12, choices=AlertState, default=AlertState.FIRING, verbose_name=_("state"))
    level = models.CharField(max_length=8, choices=Level, verbose_name=_("level"))
    priority = models.PositiveSmallIntegerField(default=3, verbose_name=_("priority"))
    title_en = models.CharField(max_length=200, verbose_name=_("English title"))
    title_ar = models.CharField(max_length=200, verbose_name=_("Arabic title"))
    text = models.TextField(blank=True, verbose_name=_("text"), help_text=_("Of a manual alert, as it was typed."))
    agency = models.ForeignKey(Agency, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("agency"))
    governorate = models.ForeignKey(Zone, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("governorate"))
    zone = models.ForeignKey(Zone, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("zone"))
    type_code = models.CharField(max_length=64, blank=True, verbose_name=_("incident type"))
    category = models.CharField(max_length=32, blank=True, verbose_name=_("category"))
    location = models.PointField(srid=4326, null=True, blank=True, spatial_index=False, verbose_name=_("place"))
    incident = models.ForeignKey(
        Incident, null=True, blank=True, on_delete=models.PROTECT, related_name="alerts", verbose_name=_("incident")
    )
    subject_type = models.CharField(max_length=32, blank=True, verbose_name=_("what it is about"))
    subject_id = models.BigIntegerField(null=True, blank=True)
    measure = models.FloatField(null=True, blank=True, verbose_name=_("measure"))
    threshold = models.FloatField(null=True, blank=True, verbose_name=_("threshold"))
    facts = models.JSONField(default=dict, verbose_name=_("facts"), help_text=_("Why it fired: window, counts, trend, modifiers in force."))
    caused_at = models.DateTimeField(verbose_name=_("happened at"), help_text=_("When what caused it was committed."))
    opened_at = models.DateTimeField(db_default=Now(), verbose_name=_("opened at"))
    last_seen_at = models.DateTimeField(verbose_name=_("last seen at"))
    occurrence_count = models.PositiveIntegerField(default=1, verbose_name=_("occurrences"))
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("acknowledged by")
    )
    acknowledged_by_contact = models.ForeignKey(
        "alerts.Contact", null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("acknowledged by (contact)")
    )
    acknowledged_at = models.DateTimeField(null=True, blank=True, verbose_name=_("acknowledged at"))
    acknowledged_through = models.CharField(max_length=8, choices=Through, blank=True, verbose_name=_("acknowledged through"))
    first_acknowledged_at = models.DateTimeField(null=True, blank=True, verbose_name=_("first acknowledged at"))
    snoozed_until = models.DateTimeField(null=True, blank=True, verbose_name=_("snoozed until"))
    snoozed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("snoozed by")
    )
    muted_until = models.DateTimeField(null=True, blank=True, verbose_name=_("muted until"))
    silenced_by = models.ForeignKey(
        Silence, null=True, blank=True, on_delete=models.SET_NULL, related_name="alerts", verbose_name=_("silence")
    )
    inhibited_by = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="inhibits", verbose_name=_("inhibited by")
    )
    inhibition = models.ForeignKey(
        Inhibition, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("inhibition")
    )
    resolved_at = models.DateTimeField(null=True, blank=True, verbose_name=_("resolved at"))
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("resolved by")
    )
    resolved_because = models.CharField(max_length=8, choices=Because, blank=True, verbose_name=_("resolved"))
    outcome = models.CharField(max_length=400, blank=True, verbose_name=_("outcome"))
    was_needed = models.BooleanField(
        null=True, blank=True, verbose_name=_("was it needed"), help_text=_("Said by whoever resolved it; noise is what nobody needed.")
    )
    resolve_due_at = models.DateTimeField(verbose_name=_("resolved by time at"))
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))

    objects = AlertQuerySet.as_manager()

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["fingerprint"],
                condition=~Q(state="resolved"),
                name="alert_open_once",
                violation_error_message=_("There is an open alert of this already."),
            ),
            models.CheckConstraint(
                condition=Q(state__in=AlertState.values), name="alert_state_known", violation_error_message=_("Unknown state.")
            ),
            models.CheckConstraint(
                condition=Q(level__in=Level.values), name="alert_level_known", violation_error_message=_("Unknown level.")
            ),
            models.CheckConstraint(
                condition=Q(state="resolved", resolved_at__isnull=False) | (~Q(state="resolved") & Q(resolved_at=None)),
                name="alert_resolved_has_time",
                violation_error_message=_("What is resolved has the time of it."),
            ),
        ]
        indexes = [
            # The queue: open alerts, the newest first.
            models.Index(fields=["-id"], name="alert_open", condition=~Q(state="resolved")),
            # The sweep: to be resolved by time.
            models.Index(fields=["resolve_due_at"], name="alert_resolve_due", condition=~Q(state="resolved")),
            # Cooldown and storm: the newest alerts of a rule.
            models.Index(fields=["rule", "-opened_at"], name="alert_of_rule"),
            # An incident's alerts; a hot spot's.
            models.Index(fields=["subject_type", "subject_id"], name="alert_by_subject"),
            # Statistics over a span.
            models.Index(fields=["-opened_at"], name="alert_by_time"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        return self.title_ar if (get_language() or "").startswith("ar") else self.title_en

    @property
    def is_open(self) -> bool:
        return self.state != AlertState.RESOLVED


class Occurrence(models.Model):
    """One thing an alert stands for: an event, or an incident that was counted. Each joins an alert once, however often the log is read.

    A counted incident has no event here: it may have come by a call, by an import of thousands, or have been reclassified.
    """

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="occurrences", verbose_name=_("alert"))
    event_id = models.BigIntegerField(null=True, blank=True, verbose_name=_("event"))
    at = models.DateTimeField(verbose_name=_("at"))
    incident = models.ForeignKey(Incident, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("incident"))
    measure = models.FloatField(null=True, blank=True, verbose_name=_("measure"))

    class Meta:
        verbose_name = _("occurrence")
        verbose_name_plural = _("occurrences")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["alert", "event_id", "incident"], name="occurrence_once", nulls_distinct=False)]

    def __str__(self) -> str:
        return f"{self.alert_id} · {self.event_id}"


class HeldFiring(models.Model):
    """What a rule found while its zone or its type was to be quiet (cooldown). It is looked at again when that ends: nothing is dropped.

    The row is the queue. One for each (rule, group): what comes later takes the place of what came before, and keeps what it stood for.
    """

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="held", verbose_name=_("rule"))
    fingerprint = models.CharField(max_length=64, verbose_name=_("fingerprint"))
    held_by = models.CharField(max_length=8, verbose_name=_("held by"), help_text=_("zone or type"))
    due_at = models.DateTimeField(db_index=True, verbose_name=_("looked at again at"))
    draft = models.JSONField(verbose_name=_("what it would say"))
    held_at = models.DateTimeField(db_default=Now(), verbose_name=_("held since"))

    class Meta:
        verbose_name = _("held back by a cooldown")
        verbose_name_plural = _("held back by cooldowns")
        ordering = ["due_at", "pk"]
        constraints = [models.UniqueConstraint(fields=["rule", "fingerprint"], name="held_once")]

    def __str__(self) -> str:
        return f"{self.rule_id} · {self.due_at:%H:%M}"


class AlertLog(models.Model):
    """The alert's timeline: who did what through what, which step ran, what reached whom. Append-only."""

    class Kind(models.TextChoices):
        OPENED = "opened", pgettext_lazy("alert log", "Opened")
        JOINED = "joined", pgettext_lazy("alert log", "Grew")
        RAISED = "raised", pgettext_lazy("alert log", "Level raised")
        STEP = "step", pgettext_lazy("alert log", "Step")
        NOBODY = "nobody", pgettext_lazy("alert log", "Nobody reached")
        PAGED = "paged", pgettext_lazy("alert log", "Paged")
        DELIVERY = "delivery", pgettext_lazy("alert log", "Delivery")
        ACKNOWLEDGED = "acknowledged", pgettext_lazy("alert log", "Acknowledged")
        UNACKNOWLEDGED = "unacknowledged", pgettext_lazy("alert log", "Acknowledgement withdrawn")
        SNOOZED = "snoozed", pgettext_lazy("alert log", "Snoozed")
        MUTED = "muted", pgettext_lazy("alert log", "Muted")
        SILENCED = "silenced", pgettext_lazy("alert log", "Silenced")
        INHIBITED = "inhibited", pgettext_lazy("alert log", "Inhibited")
        REFIRED = "refired", pgettext_lazy("alert log", "Fires again")
        ESCALATED = "escalated", pgettext_lazy("alert log", "Escalated by hand")
        REASSIGNED = "reassigned", pgettext_lazy("alert log", "Handed over")
        NOTED = "noted", pgettext_lazy("alert log", "Note")
        RESOLVED = "resolved", pgettext_lazy("alert log", "Resolved")

    alert = models.ForeignKey(Alert, on_delete=models.PROTECT, related_name="log", verbose_name=_("alert"))
    at = models.DateTimeField(db_default=Now(), verbose_name=_("at"))
    kind = models.CharField(max_length=16, choices=Kind, verbose_name=_("kind"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("by")
    )
    through = models.CharField(max_length=8, choices=Through, blank=True, verbose_name=_("through"))
    note = models.CharField(max_length=400, blank=True, verbose_name=_("note"))
    facts = models.JSONField(default=dict, verbose_name=_("facts"))

    class Meta:
        verbose_name = _("line of an alert's log")
        verbose_name_plural = _("alerts' log")
        ordering = ["id"]
        indexes = [
            # An alert's timeline.
            models.Index(fields=["alert", "id"], name="alertlog_of_alert"),
        ]

    def __str__(self) -> str:
        return f"{self.alert_id} {self.kind}"
