"""What there is to send: stations, vehicles, skills, teams, units and the people of the force."""

from __future__ import annotations

from django.conf import settings
from django.contrib.gis.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts.models import Agency
from geography.models import Zone
from patrol.querysets import ActiveQuerySet, OfTeamQuerySet, UnitQuerySet

GOVERNORATE_ONLY = {"level": "governorate"}


def in_language(english: str, arabic: str) -> str:
    return arabic if arabic and (get_language() or "").startswith("ar") else english


class UnitKind(models.TextChoices):
    PATROL = "patrol", _("Patrol car")
    MOTORCYCLE = "motorcycle", _("Motorcycle")
    FOOT = "foot", _("Foot patrol")
    TRAFFIC = "traffic", _("Traffic patrol")
    AMBULANCE = "ambulance", _("Ambulance")
    ENGINE = "engine", _("Fire engine")
    RESCUE = "rescue", _("Rescue")
    BOAT = "boat", _("Boat")
    COMMAND = "command", _("Command car")
    OTHER = "other", _("Other unit")


class Station(models.Model):
    """Where units start and end their shifts; also a candidate post for coverage."""

    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="stations", verbose_name=_("agency"))
    governorate = models.ForeignKey(
        Zone, on_delete=models.PROTECT, limit_choices_to=GOVERNORATE_ONLY, related_name="+", verbose_name=_("governorate")
    )
    code = models.CharField(max_length=24, verbose_name=_("code"))
    name_en = models.CharField(max_length=120, verbose_name=_("English name"))
    name_ar = models.CharField(max_length=120, verbose_name=_("Arabic name"))
    location = models.PointField(srid=4326, spatial_index=False, verbose_name=_("location"))
    is_active = models.BooleanField(default=True, verbose_name=_("in use"))
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))

    objects = ActiveQuerySet.as_manager()

    class Meta:
        verbose_name = _("station")
        verbose_name_plural = _("stations")
        ordering = ["agency", "code"]
        constraints = [
            models.UniqueConstraint(
                fields=["agency", "code"], name="station_code_once", violation_error_message=_("This agency has a station with this code.")
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return in_language(self.name_en, self.name_ar)


class Skill(models.Model):
    """What a person or a unit can do: water rescue, first aid, Arabic sign language."""

    code = models.SlugField(max_length=32, unique=True, verbose_name=_("code"))
    name_en = models.CharField(max_length=80, verbose_name=_("English name"))
    name_ar = models.CharField(max_length=80, verbose_name=_("Arabic name"))

    class Meta:
        verbose_name = _("skill")
        verbose_name_plural = _("skills")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return in_language(self.name_en, self.name_ar)


class Vehicle(models.Model):
    """A vehicle by its fleet number; plates are kept nowhere."""

    class Kind(models.TextChoices):
        CAR = "car", _("Car")
        MOTORCYCLE = "motorcycle", _("Motorcycle")
        VAN = "van", _("Van")
        AMBULANCE = "ambulance", _("Ambulance")
        ENGINE = "engine", _("Fire engine")
        BOAT = "boat", _("Boat")
        OTHER = "other", _("Other vehicle")

    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="vehicles", verbose_name=_("agency"))
    governorate = models.ForeignKey(
        Zone, on_delete=models.PROTECT, limit_choices_to=GOVERNORATE_ONLY, related_name="+", verbose_name=_("governorate")
    )
    station = models.ForeignKey(
        Station, null=True, blank=True, on_delete=models.PROTECT, related_name="vehicles", verbose_name=_("station")
    )
    fleet_number = models.CharField(max_length=24, verbose_name=_("fleet number"))
    kind = models.CharField(max_length=12, choices=Kind, default=Kind.CAR, verbose_name=_("kind"))
    out_of_service = models.CharField(
        max_length=200, blank=True, verbose_name=_("out of service because"), help_text=_("Empty: in service.")
    )
    is_active = models.BooleanField(default=True, verbose_name=_("in use"))
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))

    objects = ActiveQuerySet.as_manager()

    class Meta:
        verbose_name = _("vehicle")
        verbose_name_plural = _("vehicles")
        ordering = ["agency", "fleet_number"]
        constraints = [
            models.UniqueConstraint(
                fields=["agency", "fleet_number"],
                name="vehicle_number_once",
                violation_error_message=_("This agency has a vehicle with this number."),
            )
        ]

    def __str__(self) -> str:
        return self.fleet_number


class Team(models.Model):
    """Units that are sent together and answer for zones together."""

    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="teams", verbose_name=_("agency"))
    governorate = models.ForeignKey(
        Zone, on_delete=models.PROTECT, limit_choices_to=GOVERNORATE_ONLY, related_name="+", verbose_name=_("governorate")
    )
    code = models.CharField(max_length=24, verbose_name=_("code"))
    name_en = models.CharField(max_length=80, verbose_name=_("English name"))
    name_ar = models.CharField(max_length=80, verbose_name=_("Arabic name"))
    is_active = models.BooleanField(default=True, verbose_name=_("in use"))
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))

    objects = ActiveQuerySet.as_manager()

    class Meta:
        verbose_name = _("team")
        verbose_name_plural = _("teams")
        ordering = ["agency", "code"]
        constraints = [
            models.UniqueConstraint(
                fields=["agency", "code"], name="team_code_once", violation_error_message=_("This agency has a team with this code.")
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return in_language(self.name_en, self.name_ar)


class Unit(models.Model):
    """What is dispatched, by its call sign. Its state is nowhere stored: it follows from duty and its open assignments
    (``services.units.states_of``). A unit is taken out of use, never removed."""

    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="units", verbose_name=_("agency"))
    governorate = models.ForeignKey(
        Zone, on_delete=models.PROTECT, limit_choices_to=GOVERNORATE_ONLY, related_name="+", verbose_name=_("governorate")
    )
    station = models.ForeignKey(Station, on_delete=models.PROTECT, related_name="units", verbose_name=_("station"))
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="units", verbose_name=_("team"))
    vehicle = models.ForeignKey(Vehicle, null=True, blank=True, on_delete=models.SET_NULL, related_name="units", verbose_name=_("vehicle"))
    call_sign = models.CharField(max_length=24, verbose_name=_("call sign"))
    kind = models.CharField(max_length=12, choices=UnitKind, default=UnitKind.PATROL, verbose_name=_("kind"))
    skills = models.ManyToManyField(Skill, blank=True, related_name="units", verbose_name=_("skills"))
    arrival_sets_on_scene = models.BooleanField(
        default=False, verbose_name=_("arrival sets on scene"), help_text=_("Its position inside the place of its task starts the clock.")
    )
    welfare_minutes = models.PositiveSmallIntegerField(
        null=True, blank=True, verbose_name=_("welfare check every (minutes)"), help_text=_("While on scene. Empty: none.")
    )
    tracker_id = models.CharField(
        max_length=64, null=True, blank=True, unique=True, verbose_name=_("tracker"), help_text=_("The name its GPS device reports under.")
    )
    is_active = models.BooleanField(default=True, verbose_name=_("in use"))
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))

    objects = UnitQuerySet.as_manager()

    class Meta:
        verbose_name = _("unit")
        verbose_name_plural = _("units")
        ordering = ["agency", "call_sign"]
        constraints = [
            models.UniqueConstraint(
                "agency",
                Lower("call_sign"),
                name="unit_call_sign_once",
                violation_error_message=_("This agency has a unit with this call sign."),
            ),
            models.CheckConstraint(
                condition=Q(welfare_minutes__isnull=True) | Q(welfare_minutes__range=(1, 240)),
                name="unit_welfare_minutes",
                violation_error_message=_("From 1 to 240 minutes."),
            ),
        ]

    def __str__(self) -> str:
        return self.call_sign


class Member(models.Model):
    """A person on the roster, by service number. ``user`` is set when they sign in themselves."""

    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="members", verbose_name=_("agency"))
    governorate = models.ForeignKey(
        Zone, on_delete=models.PROTECT, limit_choices_to=GOVERNORATE_ONLY, related_name="+", verbose_name=_("governorate")
    )
    station = models.ForeignKey(Station, null=True, blank=True, on_delete=models.PROTECT, related_name="members", verbose_name=_("station"))
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="member", verbose_name=_("account")
    )
    service_number = models.CharField(max_length=24, verbose_name=_("service number"))
    name_en = models.CharField(max_length=120, verbose_name=_("English name"))
    name_ar = models.CharField(max_length=120, blank=True, verbose_name=_("Arabic name"))
    skills = models.ManyToManyField(Skill, blank=True, related_name="members", verbose_name=_("skills"))
    sos_code = models.CharField(
        max_length=128, blank=True, editable=False, help_text=_("Hashed; without it a call for help is not withdrawn.")
    )
    duress_code = models.CharField(
        max_length=128, blank=True, editable=False, help_text=_("Hashed; seems to withdraw the call and does not.")
    )
    is_active = models.BooleanField(default=True, verbose_name=_("in use"))
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))

    objects = ActiveQuerySet.as_manager()

    class Meta:
        verbose_name = _("person of the force")
        verbose_name_plural = _("people of the force")
        ordering = ["agency", "service_number"]
        constraints = [
            models.UniqueConstraint(
                fields=["agency", "service_number"],
                name="member_number_once",
                violation_error_message=_("This agency has a person with this service number."),
            )
        ]

    def __str__(self) -> str:
        return in_language(self.name_en, self.name_ar)


class ZoneAssignment(models.Model):
    """A team answers for a zone for a time."""

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="zones", verbose_name=_("team"))
    zone = models.ForeignKey(Zone, on_delete=models.PROTECT, related_name="+", verbose_name=_("zone"))
    starts_at = models.DateTimeField(verbose_name=_("from"))
    ends_at = models.DateTimeField(verbose_name=_("to"))
    reason = models.CharField(max_length=400, blank=True, verbose_name=_("reason"))
    assigned_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("by"))
    created_at = models.DateTimeField(auto_now_add=True)
    cancelled_at = models.DateTimeField(null=True, blank=True, verbose_name=_("cancelled at"))

    objects = OfTeamQuerySet.as_manager()

    class Meta:
        verbose_name = _("zone of a team")
        verbose_name_plural = _("zones of teams")
        ordering = ["-starts_at", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=models.F("starts_at")),
                name="zone_assignment_ends",
                violation_error_message=_("It must end after it begins."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.team_id} {self.zone_id}"
