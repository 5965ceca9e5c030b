"""Who works when: patterns, shifts, rosters, leave, and who is on duty."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeBoundary, RangeOperators
from django.db import models
from django.db.models import F, Func, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Agency
from geography.models import Zone
from patrol.models.force import GOVERNORATE_ONLY, Member, Unit, in_language
from patrol.querysets import AgencyQuerySet, DutyQuerySet, OfMemberQuerySet, RosterQuerySet, ScopedQuerySet


class TsTzRange(Func):
    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


class ShiftPattern(models.Model):
    """A shift as it comes every day: when it begins on the agency's clock and how long it lasts. It may cross midnight."""

    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="shift_patterns", verbose_name=_("agency"))
    code = models.CharField(max_length=16, verbose_name=_("code"))
    name_en = models.CharField(max_length=80, verbose_name=_("English name"))
    name_ar = models.CharField(max_length=80, verbose_name=_("Arabic name"))
    begins_at = models.TimeField(verbose_name=_("begins at"), help_text=_("On the region's clock."))
    length_minutes = models.PositiveSmallIntegerField(verbose_name=_("length in minutes"), help_text=_("8, 10 or 12 hours: 480, 600, 720."))
    break_minutes = models.PositiveSmallIntegerField(default=30, verbose_name=_("break in minutes"))
    minimum_rest_minutes = models.PositiveSmallIntegerField(
        default=660,
        verbose_name=_("least rest before it, in minutes"),
        help_text=_("Between the end of the last shift and the start of this."),
    )
    is_active = models.BooleanField(default=True, verbose_name=_("in use"))

    objects = AgencyQuerySet.as_manager()

    class Meta:
        verbose_name = _("shift pattern")
        verbose_name_plural = _("shift patterns")
        ordering = ["agency", "begins_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["agency", "code"], name="pattern_code_once", violation_error_message=_("This agency has a pattern with this code.")
            ),
            models.CheckConstraint(
                condition=Q(length_minutes__range=(60, 1440)),
                name="pattern_length",
                violation_error_message=_("A shift lasts from 1 to 24 hours."),
            ),
            models.CheckConstraint(
                condition=Q(break_minutes__lt=F("length_minutes")),
                name="pattern_break_fits",
                violation_error_message=_("The break is longer than the shift."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return in_language(self.name_en, self.name_ar)


class Shift(models.Model):
    """One shift of one agency in one governorate, as two instants."""

    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="shifts", verbose_name=_("agency"))
    governorate = models.ForeignKey(
        Zone, on_delete=models.PROTECT, limit_choices_to=GOVERNORATE_ONLY, related_name="+", verbose_name=_("governorate")
    )
    pattern = models.ForeignKey(ShiftPattern, on_delete=models.PROTECT, related_name="shifts", verbose_name=_("pattern"))
    starts_at = models.DateTimeField(verbose_name=_("from"))
    ends_at = models.DateTimeField(verbose_name=_("to"))
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("shift")
        verbose_name_plural = _("shifts")
        ordering = ["-starts_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["governorate", "pattern", "starts_at"], name="shift_once", violation_error_message=_("This shift exists already.")
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="shift_ends", violation_error_message=_("It must end after it begins.")
            ),
        ]

    def __str__(self) -> str:
        return f"{timezone.localtime(self.starts_at):%Y-%m-%d %H:%M}"


class RosterEntry(models.Model):
    """A person is to work a shift, on a unit or in reserve. Its hours may be shorter or longer than the shift's."""

    class Part(models.TextChoices):
        LEADER = "leader", _("Leader")
        DRIVER = "driver", _("Driver")
        CREW = "crew", _("Crew")
        DESK = "desk", _("Desk")

    shift = models.ForeignKey(Shift, on_delete=models.PROTECT, related_name="entries", verbose_name=_("shift"))
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="roster", verbose_name=_("person"))
    unit = models.ForeignKey(
        Unit,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="roster",
        verbose_name=_("unit"),
        help_text=_("Empty: in reserve."),
    )
    part = models.CharField(max_length=8, choices=Part, default=Part.CREW, verbose_name=_("part"))
    starts_at = models.DateTimeField(verbose_name=_("from"))
    ends_at = models.DateTimeField(verbose_name=_("to"))
    is_cancelled = models.BooleanField(default=False, verbose_name=_("cancelled"))
    rest_override_reason = models.CharField(
        max_length=400, blank=True, verbose_name=_("why with too little rest"), help_text=_("Kept in the audit trail.")
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("by"))
    created_at = models.DateTimeField(auto_now_add=True)

    objects = RosterQuerySet.as_manager()

    class Meta:
        verbose_name = _("roster entry")
        verbose_name_plural = _("roster entries")
        ordering = ["starts_at", "pk"]
        constraints = [
            ExclusionConstraint(
                name="roster_no_overlap",
                expressions=[
                    (TsTzRange("starts_at", "ends_at", RangeBoundary()), RangeOperators.OVERLAPS),
                    ("member", RangeOperators.EQUAL),
                ],
                condition=Q(is_cancelled=False),
                violation_error_message=_("This person is on the roster already at that time."),
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="roster_ends", violation_error_message=_("It must end after it begins.")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.member_id} {self.starts_at:%Y-%m-%d %H:%M}"


class Leave(models.Model):
    """A person is away."""

    class Kind(models.TextChoices):
        ANNUAL = "annual", _("Annual leave")
        SICK = "sick", _("Sick leave")
        TRAINING = "training", _("Training")
        OTHER = "other", _("Other")

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="leave", verbose_name=_("person"))
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.ANNUAL, verbose_name=_("kind"))
    starts_at = models.DateTimeField(verbose_name=_("from"))
    ends_at = models.DateTimeField(verbose_name=_("to"))
    is_cancelled = models.BooleanField(default=False, verbose_name=_("cancelled"))
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("by"))

    objects = OfMemberQuerySet.as_manager()

    class Meta:
        verbose_name = _("leave")
        verbose_name_plural = _("leave")
        ordering = ["-starts_at", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="leave_ends", violation_error_message=_("It must end after it begins.")
            )
        ]

    def __str__(self) -> str:
        return f"{self.member_id} {self.kind}"


class Duty(models.Model):
    """Somebody or something is on duty, from when to when: a person on a unit, a person at a desk (no unit), a unit with its crew unnamed
    (no person). Only those on duty may act as on duty."""

    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="+", verbose_name=_("agency"))
    governorate = models.ForeignKey(
        Zone,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        limit_choices_to=GOVERNORATE_ONLY,
        related_name="+",
        verbose_name=_("governorate"),
    )
    member = models.ForeignKey(Member, null=True, blank=True, on_delete=models.PROTECT, related_name="duties", verbose_name=_("person"))
    unit = models.ForeignKey(Unit, null=True, blank=True, on_delete=models.PROTECT, related_name="duties", verbose_name=_("unit"))
    roster_entry = models.ForeignKey(
        RosterEntry, null=True, blank=True, on_delete=models.SET_NULL, related_name="duties", verbose_name=_("roster entry")
    )
    started_at = models.DateTimeField(verbose_name=_("from"))
    expected_until = models.DateTimeField(null=True, blank=True, verbose_name=_("expected until"))
    ended_at = models.DateTimeField(null=True, blank=True, verbose_name=_("to"))
    ended_because = models.CharField(max_length=200, blank=True, verbose_name=_("ended because"))
    rest_override_reason = models.CharField(max_length=400, blank=True, verbose_name=_("why with too little rest"))
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))

    objects = DutyQuerySet.as_manager()

    class Meta:
        verbose_name = _("duty")
        verbose_name_plural = _("duties")
        ordering = ["-started_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["member"],
                condition=Q(ended_at=None),
                name="duty_one_open_a_person",
                violation_error_message=_("This person is on duty already."),
            ),
            models.UniqueConstraint(
                fields=["unit"],
                condition=Q(ended_at=None, member=None),
                name="duty_one_open_a_unit",
                violation_error_message=_("This unit is on duty already."),
            ),
            models.CheckConstraint(
                condition=Q(member__isnull=False) | Q(unit__isnull=False),
                name="duty_of_somebody",
                violation_error_message=_("Say who is on duty."),
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("started_at")),
                name="duty_ends_after",
                violation_error_message=_("It must end after it begins."),
            ),
        ]
        indexes = [
            # Which units are on duty now.
            models.Index(fields=["unit"], name="duty_open_units", condition=Q(ended_at=None)),
            # A person's hours and rest.
            models.Index(fields=["member", "-started_at"], name="duty_by_member"),
        ]

    def __str__(self) -> str:
        return f"{self.member_id or ''} {self.unit_id or ''}"
