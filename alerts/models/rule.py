"""What becomes an alert: rules with their versions and replays, special times of the year, silences, inhibitions."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts.models import Agency
from alerts.choices import Level
from alerts.querysets import RuleQuerySet, SilenceQuerySet
from geography.models import Zone

GOVERNORATE_ONLY = {"level": "governorate"}


class Named(models.Model):
    """A thing people choose by name, in both languages, and files by its code."""

    code = models.SlugField(max_length=64, unique=True, verbose_name=_("code"), help_text=_("How files and the API name it."))
    name_en = models.CharField(max_length=120, verbose_name=_("English name"))
    name_ar = models.CharField(max_length=120, verbose_name=_("Arabic name"))

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return self.name_ar if (get_language() or "").startswith("ar") else self.name_en


class SpecialPeriod(Named):
    """A time of the year at which rules may behave otherwise: Ramadan by its announced dates, a national holiday, a big event."""

    kind = models.SlugField(max_length=32, verbose_name=_("kind"), help_text=_("What rules name: ramadan, holiday, event."))
    starts_on = models.DateField(verbose_name=_("first day"))
    ends_on = models.DateField(verbose_name=_("last day"))

    class Meta:
        verbose_name = _("special period")
        verbose_name_plural = _("special periods")
        ordering = ["starts_on", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_on__gte=F("starts_on")),
                name="period_ends_after_start",
                violation_error_message=_("It ends before it begins."),
            )
        ]


class AlertRule(Named):
    """What must be heard of, from whom, how bad it is and who is told. It fires only once a second person has switched it on.

    ``condition`` is what its source needs, and nothing else (``alerts.services.rules.conditions`` holds one typed form a source):
    event types for ``event``; window, what is counted and recovery for ``count``; and so on.
    """

    class Source(models.TextChoices):
        EVENT = "event", _("Something that happens (event log)")
        COUNT = "count", _("Incidents counted by type and zone in a window")
        HOT_SPOT = "hot_spot", _("Hot spots")
        FORECAST = "forecast", _("Forecasts")
        READING = "reading", _("Readings of sensors")
        FEED_SILENCE = "feed_silence", _("A feed that has gone silent")
        CAMERA = "camera", _("Cameras")

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        WAITING = "waiting", _("Waits for a second person")
        ACTIVE = "active", _("Active")
        OFF = "off", _("Switched off")

    description = models.TextField(blank=True, verbose_name=_("description"))
    source = models.CharField(max_length=12, choices=Source, verbose_name=_("source"))
    condition = models.JSONField(default=dict, blank=True, verbose_name=_("condition"))
    agency = models.ForeignKey(
        Agency, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("agency"),
        help_text=_("Whose rule it is: its people see and change it. Empty: of the whole ministry."),
    )  # fmt: skip
    agencies = ArrayField(
        models.SlugField(max_length=32), default=list, blank=True, verbose_name=_("only these agencies"), help_text=_("Empty: every one.")
    )
    governorates = ArrayField(models.CharField(max_length=32), default=list, blank=True, verbose_name=_("only these governorates (codes)"))
    zones = ArrayField(models.CharField(max_length=64), default=list, blank=True, verbose_name=_("only these zones (codes)"))
    types = ArrayField(models.SlugField(max_length=64), default=list, blank=True, verbose_name=_("only these incident types"))
    categories = ArrayField(models.CharField(max_length=32), default=list, blank=True, verbose_name=_("only these categories"))
    least_severity = models.PositiveSmallIntegerField(null=True, blank=True, verbose_name=_("least severity"))
    levels = models.JSONField(
        default=dict,
        blank=True,
        verbose_name=_("thresholds by level"),
        help_text=_("From which measure on it is low, medium, high, critical."),
    )
    level = models.CharField(
        max_length=8,
        choices=Level,
        default=Level.MEDIUM,
        verbose_name=_("level without thresholds"),
        help_text=_("Where nothing is measured."),
    )
    trend_at_least = models.FloatField(
        null=True, blank=True, verbose_name=_("trend at least"), help_text=_("Now over the time before it: 1.5 is half as many again.")
    )
    modifiers = models.JSONField(default=list, blank=True, verbose_name=_("at other times"))
    cooldown_zone_min = models.PositiveIntegerField(default=30, verbose_name=_("quiet per zone (minutes)"))
    cooldown_type_min = models.PositiveIntegerField(default=15, verbose_name=_("quiet per type (minutes)"))
    group_by = ArrayField(models.CharField(max_length=16), default=list, blank=True, verbose_name=_("one alert for each"))
    group_window_min = models.PositiveIntegerField(
        default=60, verbose_name=_("group window (minutes)"), help_text=_("What comes within it joins the open alert.")
    )
    most_per_hour = models.PositiveIntegerField(
        default=60, verbose_name=_("most alerts an hour"), help_text=_("Beyond it one alert says that the rule storms.")
    )
    policy = models.ForeignKey(
        "alerts.EscalationPolicy",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="rules",
        verbose_name=_("escalation policy"),
    )
    priority = models.PositiveSmallIntegerField(
        default=3, verbose_name=_("priority"), help_text=_("1 is first. Escalations are run in its order.")
    )
    resolves_by_recovery = models.BooleanField(default=True, verbose_name=_("resolved by recovery"))
    resolve_after_min = models.PositiveIntegerField(default=1440, verbose_name=_("resolved by time after (minutes)"))
    state = models.CharField(max_length=8, choices=State, default=State.DRAFT, verbose_name=_("state"))
    version = models.PositiveIntegerField(default=1, verbose_name=_("version"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("made by")
    )
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("last changed by")
    )
    changed_at = models.DateTimeField(auto_now=True, verbose_name=_("changed at"))
    submitted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("submitted by")
    )
    submitted_at = models.DateTimeField(null=True, blank=True, verbose_name=_("submitted at"))
    activated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("switched on by")
    )
    activated_at = models.DateTimeField(null=True, blank=True, verbose_name=_("switched on at"))
    is_seeded = models.BooleanField(default=False, verbose_name=_("comes with the product"))

    objects = RuleQuerySet.as_manager()

    class Meta:
        verbose_name = _("alert rule")
        verbose_name_plural = _("alert rules")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(activated_by=None) | Q(submitted_by=None) | ~Q(activated_by=F("submitted_by")),
                name="rule_two_people",
                violation_error_message=_("A second person switches a rule on."),
            )
        ]


class RuleVersion(models.Model):
    """What a rule said at each of its versions, in the words of its file. Append-only."""

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="versions", verbose_name=_("rule"))
    number = models.PositiveIntegerField(verbose_name=_("version"))
    content = models.JSONField(verbose_name=_("content"))
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("made by")
    )
    made_at = models.DateTimeField(auto_now_add=True, verbose_name=_("made at"))
    reason = models.CharField(max_length=400, blank=True, verbose_name=_("reason"))

    class Meta:
        verbose_name = _("version of a rule")
        verbose_name_plural = _("versions of rules")
        ordering = ["rule", "-number"]
        constraints = [models.UniqueConstraint(fields=["rule", "number"], name="rule_version_once")]

    def __str__(self) -> str:
        return f"{self.rule_id} v{self.number}"


class RuleProposal(models.Model):
    """What a rule that was once switched on is to say next. It waits here for its second person, and what runs goes on as it is."""

    rule = models.OneToOneField(AlertRule, on_delete=models.CASCADE, related_name="proposal", verbose_name=_("rule"))
    number = models.PositiveIntegerField(verbose_name=_("version"))
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("last changed by")
    )
    changed_at = models.DateTimeField(auto_now=True, verbose_name=_("changed at"))
    submitted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("submitted by")
    )
    submitted_at = models.DateTimeField(null=True, blank=True, verbose_name=_("submitted at"))

    class Meta:
        verbose_name = _("change to a rule")
        verbose_name_plural = _("changes to rules")
        ordering = ["-changed_at"]

    def __str__(self) -> str:
        return f"{self.rule_id} v{self.number}"


class RuleReplay(models.Model):
    """What a rule would have done in the last days, told from the log before it is switched on."""

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="replays", verbose_name=_("rule"))
    version = models.PositiveIntegerField(verbose_name=_("version"))
    days = models.PositiveSmallIntegerField(verbose_name=_("days"))
    until = models.DateTimeField(verbose_name=_("until"))
    result = models.JSONField(default=dict, verbose_name=_("result"))
    alert_count = models.PositiveIntegerField(default=0, verbose_name=_("alerts"))
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("asked by")
    )
    made_at = models.DateTimeField(auto_now_add=True, verbose_name=_("made at"))
    seconds = models.FloatField(null=True, blank=True, verbose_name=_("seconds"))

    class Meta:
        verbose_name = _("replay of a rule")
        verbose_name_plural = _("replays of rules")
        ordering = ["-id"]
        indexes = [
            # The newest replay of a rule's present version.
            models.Index(fields=["rule", "version", "-id"], name="replay_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.rule_id} v{self.version} · {self.days} d"


class Silence(models.Model):
    """What is expected for a while: alerts that match page nobody. When it ends, what is still wrong fires again."""

    matchers = models.JSONField(
        verbose_name=_("matchers"),
        help_text=_('All must hold: [{"field": "zone", "is": "KW-HA-SALMIYA"}]. Each also takes "in", "not", "like".'),
    )
    agency = models.ForeignKey(Agency, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("agency"))
    governorate = models.ForeignKey(
        Zone,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        limit_choices_to=GOVERNORATE_ONLY,
        verbose_name=_("governorate"),
    )
    starts_at = models.DateTimeField(verbose_name=_("from"))
    ends_at = models.DateTimeField(verbose_name=_("to"))
    reason = models.CharField(max_length=400, verbose_name=_("reason"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("made by")
    )
    created_at = models.DateTimeField(auto_now_add=True, verbose_name=_("made at"))
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("ended by")
    )
    looked_after_at = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=_("second look taken at"))

    objects = SilenceQuerySet.as_manager()

    class Meta:
        verbose_name = _("silence")
        verbose_name_plural = _("silences")
        ordering = ["-ends_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="silence_ends", violation_error_message=_("It ends before it begins.")
            )
        ]
        indexes = [
            # The sweep: ended, and not looked at again.
            models.Index(fields=["ends_at"], name="silence_second_look", condition=Q(looked_after_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.reason}"[:80]


class Inhibition(Named):
    """While an alert like ``source`` is open, those like ``target`` page nobody: a governorate's outage quiets its cameras."""

    source = models.JSONField(verbose_name=_("while there is one like this"))
    target = models.JSONField(verbose_name=_("these page nobody"))
    equal = ArrayField(
        models.CharField(max_length=16),
        default=list,
        blank=True,
        verbose_name=_("and both have the same"),
        help_text=_("governorate, zone, agency, type"),
    )
    is_within = models.BooleanField(
        default=False,
        verbose_name=_("only inside the zone of the first"),
        help_text=_("The second lies in the first one's zone or governorate."),
    )
    is_active = models.BooleanField(default=True, verbose_name=_("in use"))

    class Meta:
        verbose_name = _("inhibition")
        verbose_name_plural = _("inhibitions")
        ordering = ["code"]
