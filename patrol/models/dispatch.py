"""What units are sent to, with a clock of its own for each sending; what should be sent, and what was advised."""

from __future__ import annotations

from django.conf import settings
from django.contrib.gis.db import models
from django.contrib.postgres.fields import ArrayField
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models import Agency
from geography.models import Zone
from incidents.lifecycle import Priority
from incidents.models import Incident, IncidentType
from patrol.models.force import Skill, Unit, UnitKind
from patrol.querysets import OPEN_STATES, AgencyQuerySet, AssignmentQuerySet, ScopedQuerySet


class AssignmentState(models.TextChoices):
    ASSIGNED = "assigned", _("Assigned")
    ACCEPTED = "accepted", _("Accepted")
    EN_ROUTE = "en_route", _("En route")
    ON_SCENE = "on_scene", _("On scene")
    DONE = "done", _("Done")
    CANCELLED = "cancelled", _("Cancelled")
    AUTO_CLOSED = "auto_closed", _("Closed by time")


class Assignment(models.Model):
    """One unit sent to one thing: an incident, a stop of its route, or a task somebody asked for. **Its clock is its own**: nothing that
    happens to another assignment of the unit, or of the incident, moves it. It moves only through ``patrol.services.assignments``;
    the first time of each state is kept for good, later passages are in ``AssignmentLog``."""

    class Kind(models.TextChoices):
        INCIDENT = "incident", _("Incident")
        STOP = "stop", _("Patrol stop")
        TASK = "task", _("Task")

    kind = models.CharField(max_length=8, choices=Kind, verbose_name=_("kind"))
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="assignments", verbose_name=_("unit"))
    incident = models.ForeignKey(
        Incident, null=True, blank=True, on_delete=models.PROTECT, related_name="assignments", verbose_name=_("incident")
    )
    plan_stop = models.ForeignKey(
        "patrol.PlanStop", null=True, blank=True, on_delete=models.PROTECT, related_name="assignments", verbose_name=_("stop of a plan")
    )
    recommendation = models.ForeignKey(
        "patrol.Recommendation", null=True, blank=True, on_delete=models.PROTECT, related_name="assignments", verbose_name=_("advice")
    )
    agency = models.ForeignKey(
        Agency, on_delete=models.PROTECT, related_name="+", verbose_name=_("agency"), help_text=_("Whose task it is.")
    )
    governorate = models.ForeignKey(Zone, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("governorate"))
    title = models.CharField(max_length=200, blank=True, verbose_name=_("what to do"))
    note = models.TextField(blank=True, verbose_name=_("note"))
    location = models.PointField(srid=4326, null=True, blank=True, spatial_index=False, verbose_name=_("place"))
    radius_m = models.PositiveIntegerField(default=100, verbose_name=_("radius in metres"))
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.P3, verbose_name=_("priority"))
    state = models.CharField(max_length=12, choices=AssignmentState, default=AssignmentState.ASSIGNED, verbose_name=_("state"))
    active_from = models.DateTimeField(
        null=True, blank=True, verbose_name=_("from"), help_text=_("Before it the unit is not busy with it. Empty: at once.")
    )
    due_at = models.DateTimeField(null=True, blank=True, verbose_name=_("due"))
    closes_at = models.DateTimeField(null=True, blank=True, verbose_name=_("closed by time at"))
    assigned_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("assigned by")
    )
    override_reason = models.CharField(max_length=400, blank=True, verbose_name=_("why another than advised"))
    assigned_at = models.DateTimeField(verbose_name=_("assigned at"))
    accepted_at = models.DateTimeField(null=True, blank=True, verbose_name=_("accepted at"))
    en_route_at = models.DateTimeField(null=True, blank=True, verbose_name=_("en route at"))
    on_scene_at = models.DateTimeField(null=True, blank=True, verbose_name=_("on scene at"))
    ended_at = models.DateTimeField(null=True, blank=True, verbose_name=_("ended at"))
    outcome = models.CharField(max_length=400, blank=True, verbose_name=_("outcome"))
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))
    changed_at = models.DateTimeField(db_default=Now(), verbose_name=_("changed at"))

    objects = AssignmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("assignment")
        verbose_name_plural = _("assignments")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["unit", "incident"],
                condition=Q(incident__isnull=False, state__in=OPEN_STATES),
                name="assignment_once_at_a_time",
                violation_error_message=_("This unit is on this incident already."),
            ),
            models.UniqueConstraint(
                fields=["plan_stop"],
                condition=Q(plan_stop__isnull=False, state__in=OPEN_STATES),
                name="assignment_stop_once",
                violation_error_message=_("This stop is given out already."),
            ),
            models.CheckConstraint(
                condition=Q(kind="incident", incident__isnull=False)
                | Q(kind="stop", plan_stop__isnull=False, incident=None)
                | Q(kind="task", incident=None, plan_stop=None),
                name="assignment_to_what",
                violation_error_message=_("Say what the unit is sent to."),
            ),
            models.CheckConstraint(
                condition=Q(state__in=OPEN_STATES, ended_at=None) | (~Q(state__in=OPEN_STATES) & Q(ended_at__isnull=False)),
                name="assignment_ended_has_time",
                violation_error_message=_("What has ended has a time of its end."),
            ),
            models.CheckConstraint(
                condition=Q(state__in=AssignmentState.values), name="assignment_state_known", violation_error_message=_("Unknown state.")
            ),
        ]
        indexes = [
            # A unit's open assignments: its state, on every surface.
            models.Index(fields=["unit"], name="assignment_open", condition=Q(state__in=OPEN_STATES)),
            # An incident's units.
            models.Index(fields=["incident"], name="assignment_of_incident", condition=Q(incident__isnull=False)),
            # The interval report and the workload of a window.
            models.Index(fields=["assigned_at"], name="assignment_by_time"),
            # What is to be closed by time.
            models.Index(fields=["closes_at"], name="assignment_closing", condition=Q(state__in=OPEN_STATES, closes_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.unit_id} {self.kind} {self.state}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES


class AssignmentLog(models.Model):
    """One step of one assignment. Append-only. ``at`` is when it happened (a phone in a tunnel says so later), ``recorded_at`` when we
    heard of it."""

    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="log", verbose_name=_("assignment"))
    at = models.DateTimeField(verbose_name=_("at"))
    recorded_at = models.DateTimeField(db_default=Now(), verbose_name=_("recorded at"))
    from_state = models.CharField(max_length=12, choices=AssignmentState, blank=True, verbose_name=_("from"))
    to_state = models.CharField(max_length=12, choices=AssignmentState, blank=True, verbose_name=_("to"))
    author_kind = models.CharField(max_length=8, verbose_name=_("author kind"))
    author_id = models.BigIntegerField(null=True, blank=True)
    author_name = models.CharField(max_length=150, blank=True, verbose_name=_("author"))
    reason = models.CharField(max_length=400, blank=True, verbose_name=_("reason"))
    facts = models.JSONField(default=dict, verbose_name=_("facts"))

    class Meta:
        verbose_name = _("step of an assignment")
        verbose_name_plural = _("steps of assignments")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.assignment_id} {self.to_state}"


class FieldAction(models.Model):
    """An action that a phone sent with a key of its own, so that sending it again changes nothing. Append-only."""

    key = models.UUIDField(primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("by"))
    verb = models.CharField(max_length=32, verbose_name=_("verb"))
    at = models.DateTimeField(verbose_name=_("at"))
    recorded_at = models.DateTimeField(db_default=Now(), verbose_name=_("recorded at"))
    answer = models.JSONField(default=dict, verbose_name=_("answer"))

    class Meta:
        verbose_name = _("action from the field")
        verbose_name_plural = _("actions from the field")
        ordering = ["-recorded_at"]

    def __str__(self) -> str:
        return f"{self.verb} {self.key}"


class ResponseTarget(models.Model):
    """How fast a call of this priority is to be answered: seconds, interval by interval. An agency's own row goes before the general."""

    agency = models.ForeignKey(
        Agency,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("agency"),
        help_text=_("Empty: every agency."),
    )
    priority = models.PositiveSmallIntegerField(choices=Priority, verbose_name=_("priority"))
    queue_s = models.PositiveIntegerField(null=True, blank=True, verbose_name=_("queue (s)"))
    turnout_s = models.PositiveIntegerField(null=True, blank=True, verbose_name=_("turnout (s)"))
    travel_s = models.PositiveIntegerField(null=True, blank=True, verbose_name=_("travel (s)"))
    response_s = models.PositiveIntegerField(null=True, blank=True, verbose_name=_("response (s)"))
    share = models.FloatField(default=0.9, verbose_name=_("share to be within"), help_text=_("0.9: nine in ten."))

    class Meta:
        verbose_name = _("response target")
        verbose_name_plural = _("response targets")
        ordering = ["agency", "priority"]
        constraints = [
            models.UniqueConstraint(
                fields=["agency", "priority"],
                nulls_distinct=False,
                name="target_once",
                violation_error_message=_("There is a target for this priority already."),
            ),
            models.CheckConstraint(condition=Q(share__gt=0, share__lte=1), name="target_share", violation_error_message=_("From 0 to 1.")),
        ]

    def __str__(self) -> str:
        return f"P{self.priority}"


class RunCard(models.Model):
    """What a type of incident calls for at an alarm level."""

    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="run_cards", verbose_name=_("agency"))
    type = models.ForeignKey(
        IncidentType, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("type"), help_text=_("Empty: any.")
    )
    alarm_level = models.PositiveSmallIntegerField(default=1, verbose_name=_("alarm level"))
    is_active = models.BooleanField(default=True, verbose_name=_("in use"))

    objects = AgencyQuerySet.as_manager()

    class Meta:
        verbose_name = _("run card")
        verbose_name_plural = _("run cards")
        ordering = ["agency", "type", "alarm_level"]
        constraints = [
            models.UniqueConstraint(
                fields=["agency", "type", "alarm_level"],
                nulls_distinct=False,
                name="run_card_once",
                violation_error_message=_("There is a run card for this already."),
            ),
            models.CheckConstraint(
                condition=Q(alarm_level__range=(1, 5)), name="run_card_level", violation_error_message=_("Alarm levels are 1 to 5.")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type_id or '*'} {self.alarm_level}"


class RunCardLine(models.Model):
    """So many units of a kind, with these skills."""

    card = models.ForeignKey(RunCard, on_delete=models.CASCADE, related_name="lines", verbose_name=_("run card"))
    count = models.PositiveSmallIntegerField(default=1, verbose_name=_("units"))
    kind = models.CharField(max_length=12, choices=UnitKind, blank=True, verbose_name=_("kind"), help_text=_("Empty: any kind."))
    skill = models.ForeignKey(Skill, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("skill"))
    within_minutes = models.PositiveSmallIntegerField(null=True, blank=True, verbose_name=_("within minutes"))

    class Meta:
        verbose_name = _("line of a run card")
        verbose_name_plural = _("lines of a run card")
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(count__range=(1, 20)), name="run_card_count", violation_error_message=_("From 1 to 20 units.")
            )
        ]

    def __str__(self) -> str:
        return f"{self.count} × {self.kind}"


class Recommendation(models.Model):
    """What was advised for an incident, with all it was made from, so that it can be made again from the row alone. Append-only."""

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="recommendations", verbose_name=_("incident"))
    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="+", verbose_name=_("agency"))
    governorate = models.ForeignKey(Zone, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("governorate"))
    alarm_level = models.PositiveSmallIntegerField(default=1, verbose_name=_("alarm level"))
    at = models.DateTimeField(verbose_name=_("at"))
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("by"))
    provider = models.CharField(max_length=24, verbose_name=_("travel times from"))
    inputs = models.JSONField(verbose_name=_("made from"))
    ranked = models.JSONField(verbose_name=_("candidates"))
    shortfalls = models.JSONField(default=list, verbose_name=_("shortfalls"))

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("dispatch advice")
        verbose_name_plural = _("dispatch advice")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.incident_id} {self.at:%Y-%m-%d %H:%M}"


class MutualAid(models.Model):
    """A standing agreement between two agencies, in force once both have consented."""

    lender = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="aid_given", verbose_name=_("lends"))
    borrower = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="aid_taken", verbose_name=_("borrows"))
    lender_consent_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("consent of the lender")
    )
    borrower_consent_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("consent of the borrower"),
    )
    unit_kinds = ArrayField(models.CharField(max_length=12, choices=UnitKind), default=list, blank=True, verbose_name=_("kinds of unit"))
    starts_at = models.DateTimeField(verbose_name=_("from"))
    ends_at = models.DateTimeField(verbose_name=_("to"))
    ended_at = models.DateTimeField(null=True, blank=True, verbose_name=_("ended at"))

    class Meta:
        verbose_name = _("mutual aid agreement")
        verbose_name_plural = _("mutual aid agreements")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(lender=F("borrower")), name="aid_of_two", violation_error_message=_("Choose two agencies.")
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="aid_ends", violation_error_message=_("It must end after it begins.")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lender_id} → {self.borrower_id}"


class AidRequest(models.Model):
    """One agency asks another for units for one incident, until an end. The lender sees that incident and no other."""

    agreement = models.ForeignKey(MutualAid, on_delete=models.PROTECT, related_name="requests", verbose_name=_("agreement"))
    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="aid_requests", verbose_name=_("incident"))
    units_wanted = models.PositiveSmallIntegerField(default=1, verbose_name=_("units"))
    note = models.CharField(max_length=400, blank=True, verbose_name=_("note"))
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("asked by"))
    requested_at = models.DateTimeField(verbose_name=_("asked at"))
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("answered by")
    )
    answered_at = models.DateTimeField(null=True, blank=True, verbose_name=_("answered at"))
    is_granted = models.BooleanField(null=True, verbose_name=_("granted"))
    ends_at = models.DateTimeField(verbose_name=_("until"))
    ended_at = models.DateTimeField(null=True, blank=True, verbose_name=_("ended at"))

    class Meta:
        verbose_name = _("request for aid")
        verbose_name_plural = _("requests for aid")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["agreement", "incident"],
                condition=Q(ended_at=None) & (Q(is_granted=None) | Q(is_granted=True)),
                name="aid_request_once",
                violation_error_message=_("This aid is asked for already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.incident_id}"
