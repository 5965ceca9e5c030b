"""What sensors say of places: the risk score of a zone, whether incidents follow crowds, and what a person should know of."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.gis.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models import Agency
from geography.models import Zone
from incidents.models import IncidentType
from iot.models.devices import Device
from iot.querysets import InsightQuerySet, OfRunQuerySet, ZoneRiskQuerySet

OF_AGENCY: dict[str, Any] = {"on_delete": models.PROTECT, "related_name": "+", "verbose_name": _("agency")}
OF_ZONE: dict[str, Any] = {"on_delete": models.PROTECT, "related_name": "+", "verbose_name": _("zone")}
OF_GOVERNORATE: dict[str, Any] = {"on_delete": models.PROTECT, "related_name": "+", "verbose_name": _("governorate")}


class RiskMaking(models.Model):
    """How scores were made: the points, scales and half-lives of the parts. A row for each way there ever was."""

    digest = models.CharField(max_length=64, unique=True, verbose_name=_("digest"))
    content = models.JSONField(verbose_name=_("how it is made"))
    code_version = models.CharField(max_length=64, verbose_name=_("code version"))
    first_used_at = models.DateTimeField(db_default=Now(), verbose_name=_("first used"))

    class Meta:
        verbose_name = _("making of scores")
        verbose_name_plural = _("makings of scores")
        ordering = ["-first_used_at", "-pk"]

    def __str__(self) -> str:
        return self.digest[:12]


class ZoneRisk(models.Model):
    """The risk score of a zone from the sensors one agency has there, at a moment. Who sees those sensors sees it.

    ``parts`` hold what gave each point, so the score can be made again from the row; a zone without sensors has no row, and one whose
    sensors have said nothing has no score.
    """

    agency = models.ForeignKey(Agency, db_index=False, **OF_AGENCY)
    zone = models.ForeignKey(Zone, db_index=False, **OF_ZONE)
    governorate = models.ForeignKey(Zone, db_index=False, **OF_GOVERNORATE)
    at = models.DateTimeField(verbose_name=_("at"))
    checked_at = models.DateTimeField(verbose_name=_("held at"), help_text=_("Looked at again, and the same."))
    score = models.FloatField(null=True, blank=True, verbose_name=_("score"))
    points = models.JSONField(verbose_name=_("points by part"))
    parts = models.JSONField(verbose_name=_("parts"))  # with their evidence: not for lists
    notes = models.JSONField(default=list, blank=True, verbose_name=_("what is missing"))
    devices = models.JSONField(verbose_name=_("devices by kind"))
    heard = models.PositiveIntegerField(verbose_name=_("heard within a day"))
    spread = models.FloatField(default=1.0, verbose_name=_("spread"))
    making = models.ForeignKey(RiskMaking, on_delete=models.PROTECT, related_name="+", verbose_name=_("how it is made"))
    digest = models.CharField(max_length=64, verbose_name=_("digest of what it is made from"))
    is_current = models.BooleanField(default=True, verbose_name=_("current"))
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))

    objects = ZoneRiskQuerySet.as_manager()

    class Meta:
        verbose_name = _("risk of a zone")
        verbose_name_plural = _("risks of zones")
        ordering = ["-at", "-pk"]
        constraints = [
            # Also: a zone's history, newest first.
            models.UniqueConstraint(
                fields=["agency", "zone", "at"], name="zone_risk_once", violation_error_message=_("Scored at this moment already.")
            ),
            models.UniqueConstraint(
                fields=["agency", "zone"],
                condition=Q(is_current=True),
                name="zone_risk_one_current",
                violation_error_message=_("This zone has a current score."),
            ),
            models.CheckConstraint(
                condition=Q(score=None) | Q(score__range=(0, 100)), name="zone_risk_0_to_100", violation_error_message=_("0 to 100.")
            ),
        ]
        indexes = [
            # Retention.
            models.Index(fields=["at"], name="zone_risk_by_time"),
            # The map and the list: what stands in a jurisdiction.
            models.Index(fields=["governorate", "agency"], name="zone_risk_standing", condition=Q(is_current=True)),
        ]

    def __str__(self) -> str:
        return f"{self.zone_id} {self.at} {self.score}"


class CrowdRun(models.Model):
    """One night's look at whether incidents follow crowds: over which time, how, and at how many pairs of zone and type."""

    at = models.DateTimeField(verbose_name=_("at"))
    since = models.DateTimeField(verbose_name=_("from"))
    until = models.DateTimeField(verbose_name=_("to"))
    settings = models.JSONField(verbose_name=_("settings"))
    looked_at = models.PositiveIntegerField(verbose_name=_("pairs looked at"))
    judged = models.PositiveIntegerField(verbose_name=_("pairs with enough to judge"))
    found = models.PositiveIntegerField(verbose_name=_("with evidence"))
    seconds = models.FloatField(verbose_name=_("took (s)"))
    code_version = models.CharField(max_length=64, verbose_name=_("code version"))

    class Meta:
        verbose_name = _("look at crowds and incidents")
        verbose_name_plural = _("looks at crowds and incidents")
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d}"


class CrowdResult(models.Model):
    """Whether incidents of a type (none: of all types) follow unusual crowds in a zone, by the sensors and the incidents of one agency."""

    class Verdict(models.TextChoices):
        EVIDENCE = "evidence", _("Evidence")
        NO_EVIDENCE = "no_evidence", _("No evidence")
        TOO_LITTLE = "too_little", _("Too little to say")

    class Why(models.TextChoices):
        FEW_WEEKS = "few_weeks", _("too little history")
        FEW_INCIDENTS = "few_incidents", _("too few incidents")
        FEW_EXPECTED = "few_expected", _("too few incidents to be expected after crowds")
        MANY_LOOKED_AT = "many_looked_at", _("by itself it would count, but among as many pairs as were looked at chance brings such")

    run = models.ForeignKey(CrowdRun, on_delete=models.CASCADE, db_index=False, related_name="results", verbose_name=_("run"))
    agency = models.ForeignKey(Agency, db_index=False, **OF_AGENCY)
    zone = models.ForeignKey(Zone, db_index=False, **OF_ZONE)
    governorate = models.ForeignKey(Zone, db_index=False, **OF_GOVERNORATE)
    type = models.ForeignKey(
        IncidentType, null=True, blank=True, db_index=False, on_delete=models.PROTECT, related_name="+", verbose_name=_("type")
    )
    verdict = models.CharField(max_length=12, choices=Verdict, verbose_name=_("verdict"))
    why = models.CharField(max_length=16, choices=Why, blank=True, verbose_name=_("why"))
    ratio = models.FloatField(null=True, blank=True, verbose_name=_("rate ratio"))
    low = models.FloatField(null=True, blank=True, verbose_name=_("at least"))
    high = models.FloatField(null=True, blank=True, verbose_name=_("at most"))
    p = models.FloatField(null=True, blank=True, verbose_name="p")
    q = models.FloatField(null=True, blank=True, verbose_name="q")
    after_crowds = models.PositiveIntegerField(verbose_name=_("incidents after crowds"))
    other = models.PositiveIntegerField(verbose_name=_("incidents in other hours"))
    hours_after = models.PositiveIntegerField(verbose_name=_("hours after crowds"))
    hours_other = models.PositiveIntegerField(verbose_name=_("other hours"))
    expected = models.FloatField(verbose_name=_("expected after crowds"))
    weeks = models.PositiveSmallIntegerField(verbose_name=_("weeks"))
    lag_h = models.PositiveSmallIntegerField(verbose_name=_("hours after"))
    sensors = models.PositiveSmallIntegerField(verbose_name=_("sensors"))
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))

    objects = OfRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("crowds and incidents of a zone")
        verbose_name_plural = _("crowds and incidents of zones")
        ordering = ["-run", "zone", F("type").asc(nulls_first=True)]
        constraints = [
            models.UniqueConstraint(
                fields=["run", "agency", "zone", "type"],
                name="crowd_result_once",
                nulls_distinct=False,
                violation_error_message=_("Judged in this run already."),
            )
        ]
        indexes = [
            # A zone's page: the newest run's rows of it.
            models.Index(fields=["zone", "-run"], name="crowd_result_of_zone")
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.zone_id} {self.type_id}"


class Insight(models.Model):
    """Something a person should know of, as a code with its figures: the sentence is made for who reads it.

    One for each thing (``key``) while it goes on. A dismissed one stays silent until its thing has ended and comes again.
    """

    class Code(models.TextChoices):
        LATE_NIGHT_MOTION = "late_night_motion", _("Motion in the dead of night")
        CAMERA_DOWN = "camera_down", _("Camera away where incidents are frequent")
        CROWD_RISING = "crowd_rising", _("A crowd is growing")
        GROUP_AWAY = "group_away", _("A group of sensors is away")
        BATTERY_ENDING = "battery_ending", _("A battery is about to end")
        CERTIFICATE_ENDING = "certificate_ending", _("A certificate is about to end")

    class Weight(models.IntegerChoices):
        LOW = 1, _("Low")
        MEDIUM = 2, _("Medium")
        HIGH = 3, _("High")

    agency = models.ForeignKey(Agency, db_index=False, **OF_AGENCY)
    governorate = models.ForeignKey(Zone, null=True, blank=True, db_index=False, **OF_GOVERNORATE)
    zone = models.ForeignKey(Zone, null=True, blank=True, db_index=False, **OF_ZONE)
    device = models.ForeignKey(
        Device, null=True, blank=True, db_index=False, on_delete=models.CASCADE, related_name="insights", verbose_name=_("device")
    )
    code = models.CharField(max_length=24, choices=Code, verbose_name=_("what"))
    key = models.CharField(max_length=64, verbose_name=_("of which thing"))
    weight = models.PositiveSmallIntegerField(choices=Weight, verbose_name=_("weight"))
    params = models.JSONField(default=dict, blank=True, verbose_name=_("figures"))
    evidence = models.JSONField(default=list, blank=True, verbose_name=_("evidence"))
    first_at = models.DateTimeField(verbose_name=_("first seen"))
    last_at = models.DateTimeField(verbose_name=_("last seen"))
    expires_at = models.DateTimeField(verbose_name=_("holds until"))
    ended_at = models.DateTimeField(null=True, blank=True, verbose_name=_("ended at"))
    dismissed_at = models.DateTimeField(null=True, blank=True, verbose_name=_("dismissed at"))
    dismissed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("dismissed by")
    )
    reason = models.CharField(max_length=300, blank=True, verbose_name=_("reason"))
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))

    objects = InsightQuerySet.as_manager()

    class Meta:
        verbose_name = _("insight")
        verbose_name_plural = _("insights")
        ordering = ["-weight", "-first_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["agency", "key"],
                condition=Q(ended_at=None),
                name="insight_one_of_each",
                violation_error_message=_("This is said already."),
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("first_at")),
                name="insight_ends_after_it_began",
                violation_error_message=_("It ends after it began."),
            ),
        ]
        indexes = [
            # The list of a jurisdiction: what stands, the gravest first.
            models.Index(fields=["agency", "-weight", "-first_at"], name="insight_standing", condition=Q(ended_at=None)),
            # What is over, by when; retention.
            models.Index(fields=["ended_at"], name="insight_over", condition=Q(ended_at__isnull=False)),
            # A device's own.
            models.Index(fields=["device"], name="insight_of_device", condition=Q(device__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.key}"

    @property
    def is_open(self) -> bool:
        return self.ended_at is None and self.dismissed_at is None
