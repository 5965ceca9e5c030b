"""Plans of a shift: who stops where, when and why, in versions; the roads they were timed on; the questions "what if"."""

from __future__ import annotations

from django.conf import settings
from django.contrib.gis.db import models
from django.contrib.postgres.fields import ArrayField
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models import Agency
from geography.models import Region, Zone
from incidents.models import Handover
from patrol.models.duty import Shift
from patrol.models.force import GOVERNORATE_ONLY, Station, Unit
from patrol.querysets import OfPlanQuerySet, PlanQuerySet, ScopedQuerySet


class Plan(models.Model):
    """One version of one shift's plan. At most one version of a shift is published; publishing another supersedes it. What was published
    stays as it was: a change makes a new version."""

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        REVIEWED = "reviewed", _("Reviewed")
        PUBLISHED = "published", _("Published")
        SUPERSEDED = "superseded", _("Superseded")
        DISCARDED = "discarded", _("Discarded")

    class Making(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        MAKING = "making", _("Being made")
        MADE = "made", _("Made")
        FAILED = "failed", _("Not made")

    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="plans", verbose_name=_("agency"))
    governorate = models.ForeignKey(
        Zone, on_delete=models.PROTECT, limit_choices_to=GOVERNORATE_ONLY, related_name="+", verbose_name=_("governorate")
    )
    shift = models.ForeignKey(Shift, on_delete=models.PROTECT, related_name="plans", verbose_name=_("shift"))
    version = models.PositiveSmallIntegerField(verbose_name=_("version"))
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="children", verbose_name=_("made from")
    )
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT, verbose_name=_("state"))
    # The row is the queue: a worker claims it by a conditional update, a sweep finds what was lost.
    making = models.CharField(max_length=8, choices=Making, default=Making.MADE, verbose_name=_("making"))
    making_since = models.DateTimeField(null=True, blank=True, verbose_name=_("making since"))
    failure = models.TextField(blank=True, verbose_name=_("why it was not made"))
    edition = models.PositiveIntegerField(
        default=1, verbose_name=_("edition"), help_text=_("Goes up with each change: two people cannot change the same one.")
    )
    handover = models.ForeignKey(
        Handover, null=True, blank=True, on_delete=models.PROTECT, related_name="plans", verbose_name=_("list handed to patrol")
    )
    seed = models.BigIntegerField(verbose_name=_("seed"))
    parameters = models.JSONField(default=dict, verbose_name=_("parameters"))
    demand = models.JSONField(default=dict, verbose_name=_("demand and its parts"))
    provider = models.CharField(max_length=24, verbose_name=_("travel times from"))
    provider_note = models.CharField(max_length=200, blank=True, verbose_name=_("note on travel times"))
    figures = models.JSONField(default=dict, verbose_name=_("figures"), help_text=_("Dosage, kilometres, balance, gap, seconds."))
    verdict = models.JSONField(default=list, verbose_name=_("verdict of the checker"), help_text=_("Empty: no violation."))
    unserved = models.JSONField(default=list, verbose_name=_("not served, and why"))
    code_version = models.CharField(max_length=64, blank=True, verbose_name=_("code version"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("made by")
    )
    created_at = models.DateTimeField(auto_now_add=True, verbose_name=_("made at"))
    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("reviewed by")
    )
    reviewed_at = models.DateTimeField(null=True, blank=True, verbose_name=_("reviewed at"))
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("published by")
    )
    published_at = models.DateTimeField(null=True, blank=True, verbose_name=_("published at"))
    superseded_at = models.DateTimeField(null=True, blank=True, verbose_name=_("superseded at"))
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))

    objects = PlanQuerySet.as_manager()

    class Meta:
        verbose_name = _("patrol plan")
        verbose_name_plural = _("patrol plans")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["shift", "version"], name="plan_version_once"),
            models.UniqueConstraint(
                fields=["shift"],
                condition=Q(state="published"),
                name="plan_one_published",
                violation_error_message=_("Another version of this plan is published."),
            ),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "reviewed", "published", "superseded", "discarded"]), name="plan_state_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "discarded"]) | Q(making="made", verdict=[]),
                name="plan_shown_is_sound",
                violation_error_message=_("A plan that breaks a rule is neither reviewed nor published."),
            ),
        ]
        indexes = [
            # The planners' queue.
            models.Index(fields=["making_since"], name="plan_in_the_making", condition=Q(making__in=["waiting", "making"])),
        ]

    def __str__(self) -> str:
        return f"{self.shift_id} v{self.version}"


class PlanRoute(models.Model):
    """What one unit is to do in the shift."""

    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="routes", verbose_name=_("plan"))
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="routes", verbose_name=_("unit"))
    start_station = models.ForeignKey(Station, on_delete=models.PROTECT, related_name="+", verbose_name=_("starts at"))
    end_station = models.ForeignKey(Station, on_delete=models.PROTECT, related_name="+", verbose_name=_("ends at"))
    starts_at = models.DateTimeField(verbose_name=_("from"))
    ends_at = models.DateTimeField(verbose_name=_("to"))
    break_from = models.DateTimeField(null=True, blank=True, verbose_name=_("break from"))
    break_to = models.DateTimeField(null=True, blank=True, verbose_name=_("break to"))
    patrol_share = models.FloatField(default=1 / 3, verbose_name=_("share of the shift for patrol"))
    distance_m = models.FloatField(default=0, verbose_name=_("metres driven"))
    drive_s = models.FloatField(default=0, verbose_name=_("seconds driven"))
    dosage_s = models.FloatField(default=0, verbose_name=_("seconds at stops"))
    path = models.LineStringField(srid=4326, null=True, blank=True, spatial_index=False, verbose_name=_("path"))

    objects = OfPlanQuerySet.as_manager()

    class Meta:
        verbose_name = _("route")
        verbose_name_plural = _("routes")
        ordering = ["plan", "unit"]
        constraints = [models.UniqueConstraint(fields=["plan", "unit"], name="route_once_a_unit")]

    def __str__(self) -> str:
        return f"{self.plan_id} {self.unit_id}"


class PlanStop(models.Model):
    """A visit: one unit at one place from ``arrive_at`` to ``leave_at``."""

    route = models.ForeignKey(PlanRoute, on_delete=models.CASCADE, related_name="stops", verbose_name=_("route"))
    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="stops", verbose_name=_("plan"))
    place = models.CharField(
        max_length=40, verbose_name=_("place key"), help_text=_("The same in every version and repeat: the cell's column:row, or task.")
    )
    visit = models.PositiveSmallIntegerField(
        default=1, verbose_name=_("visit"), help_text=_("The how-manieth stop at this place in the shift.")
    )
    sequence = models.PositiveSmallIntegerField(verbose_name=_("order"))
    location = models.PointField(srid=4326, spatial_index=False, verbose_name=_("place"))
    radius_m = models.PositiveIntegerField(default=125, verbose_name=_("radius in metres"))
    area = models.ForeignKey(Zone, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("area"))
    arrive_at = models.DateTimeField(verbose_name=_("arrive at"))
    leave_at = models.DateTimeField(verbose_name=_("leave at"))
    travel_s = models.FloatField(default=0, verbose_name=_("seconds of driving to it"))
    weight = models.FloatField(default=0, verbose_name=_("risk weight"))
    reason = models.CharField(max_length=12, default="risk", verbose_name=_("reason"), help_text=_("risk, explore or person."))
    category = models.CharField(max_length=32, blank=True, verbose_name=_("category"))
    tactics = ArrayField(models.CharField(max_length=32), default=list, blank=True, verbose_name=_("suggested tactics"))
    is_fixed = models.BooleanField(default=False, verbose_name=_("kept by a person"), help_text=_("Planning again leaves it where it is."))

    objects = OfPlanQuerySet.as_manager()

    class Meta:
        verbose_name = _("planned stop")
        verbose_name_plural = _("planned stops")
        ordering = ["route", "sequence"]
        constraints = [
            models.CheckConstraint(
                condition=Q(leave_at__gt=F("arrive_at")), name="stop_ends", violation_error_message=_("A stop must last.")
            ),
        ]
        indexes = [
            # The live boards and the dosage of a window.
            models.Index(fields=["plan", "arrive_at"], name="stop_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.place} #{self.visit}"


class PlanChange(models.Model):
    """What a person changed in a plan, and why. Append-only."""

    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="changes", verbose_name=_("plan"))
    at = models.DateTimeField(db_default=Now(), verbose_name=_("at"))
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("by"))
    kind = models.CharField(max_length=16, verbose_name=_("kind"), help_text=_("move, add, remove, time, unit, replan."))
    before = models.JSONField(default=dict, verbose_name=_("before"))
    after = models.JSONField(default=dict, verbose_name=_("after"))
    verdict = models.JSONField(default=list, verbose_name=_("verdict of the checker"))
    reason = models.CharField(max_length=400, verbose_name=_("reason"))

    objects = OfPlanQuerySet.as_manager()

    class Meta:
        verbose_name = _("change of a plan")
        verbose_name_plural = _("changes of plans")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.plan_id} {self.kind}"


class CoverageStudy(models.Model):
    """Where so many units should stand: posts, what they cover, the bound that was proven. Also the answer to a "what if"."""

    class Kind(models.TextChoices):
        COVER = "cover", _("Maximal covering")
        MEDIAN = "median", _("p-median")
        MOVE_UP = "move_up", _("Move-up")
        WHAT_IF = "what_if", _("What if")

    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="+", verbose_name=_("agency"))
    governorate = models.ForeignKey(
        Zone, on_delete=models.PROTECT, limit_choices_to=GOVERNORATE_ONLY, related_name="+", verbose_name=_("governorate")
    )
    kind = models.CharField(max_length=8, choices=Kind, verbose_name=_("kind"))
    name = models.CharField(max_length=120, blank=True, verbose_name=_("name"))
    at = models.DateTimeField(verbose_name=_("for"))
    inputs = models.JSONField(default=dict, verbose_name=_("made from"))
    result = models.JSONField(default=dict, verbose_name=_("result"))
    gap = models.FloatField(null=True, blank=True, verbose_name=_("proven gap"), help_text=_("0.01: at most 1 % below the best there is."))
    seconds = models.FloatField(null=True, blank=True, verbose_name=_("seconds"))
    provider = models.CharField(max_length=24, verbose_name=_("travel times from"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("made by")
    )
    created_at = models.DateTimeField(auto_now_add=True, verbose_name=_("made at"))
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("coverage study")
        verbose_name_plural = _("coverage studies")
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name or f"{self.kind} {self.pk}"


class RoadNetwork(models.Model):
    """The roads of a region as a graph, imported from an OSM extract. The newest of a region is used."""

    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="+", verbose_name=_("region"))
    source_name = models.CharField(max_length=200, verbose_name=_("file"))
    sha256 = models.CharField(max_length=64, verbose_name="SHA-256")
    node_count = models.PositiveIntegerField(verbose_name=_("nodes"))
    edge_count = models.PositiveIntegerField(verbose_name=_("edges"))
    facts = models.JSONField(default=dict, verbose_name=_("facts"))
    graph = models.BinaryField(help_text=_("Nodes and edges as numpy arrays."))
    imported_at = models.DateTimeField(auto_now_add=True, verbose_name=_("imported at"))

    class Meta:
        verbose_name = _("road network")
        verbose_name_plural = _("road networks")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["region", "sha256"], name="road_network_once")]

    def __str__(self) -> str:
        return self.source_name


class RoadClosure(models.Model):
    """A stretch that cannot be driven for a time."""

    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="+", verbose_name=_("region"))
    governorate = models.ForeignKey(
        Zone,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        limit_choices_to=GOVERNORATE_ONLY,
        related_name="+",
        verbose_name=_("governorate"),
    )
    name = models.CharField(max_length=200, verbose_name=_("what is closed"))
    centre = models.PointField(srid=4326, spatial_index=False, verbose_name=_("centre"))
    radius_m = models.PositiveIntegerField(default=50, verbose_name=_("radius in metres"))
    starts_at = models.DateTimeField(verbose_name=_("from"))
    ends_at = models.DateTimeField(verbose_name=_("to"))
    reason = models.CharField(max_length=400, blank=True, verbose_name=_("reason"))
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("by"))

    class Meta:
        verbose_name = _("road closure")
        verbose_name_plural = _("road closures")
        ordering = ["-starts_at", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="closure_ends", violation_error_message=_("It must end after it begins.")
            )
        ]

    def __str__(self) -> str:
        return self.name
