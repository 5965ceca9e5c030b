"""Those who are out there: calls for help, welfare checks, and the handing over from shift to shift."""

from __future__ import annotations

from django.conf import settings
from django.contrib.gis.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models import Agency
from geography.models import Zone
from patrol.models.force import GOVERNORATE_ONLY, Member, Unit
from patrol.querysets import ScopedQuerySet, SosQuerySet, WelfareQuerySet


class Sos(models.Model):
    """A call for help. It stays open, and is sent again, until a person answers it; withdrawing it takes a code only its owner knows."""

    key = models.UUIDField(unique=True, verbose_name=_("key"), help_text=_("Of the phone: the same press sent twice is one call."))
    agency = models.ForeignKey(Agency, null=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("agency"))
    governorate = models.ForeignKey(Zone, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("governorate"))
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("called by"))
    member = models.ForeignKey(Member, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("person"))
    unit = models.ForeignKey(Unit, null=True, blank=True, on_delete=models.PROTECT, related_name="sos", verbose_name=_("unit"))
    pressed_at = models.DateTimeField(verbose_name=_("pressed at"))
    received_at = models.DateTimeField(db_default=Now(), verbose_name=_("received at"))
    location = models.PointField(srid=4326, null=True, blank=True, spatial_index=False, verbose_name=_("place"))
    location_at = models.DateTimeField(null=True, blank=True, verbose_name=_("place known at"))
    accuracy_m = models.FloatField(null=True, blank=True, verbose_name=_("accuracy in metres"))
    is_silent = models.BooleanField(default=False, verbose_name=_("silent"), help_text=_("The caller's phone shows nothing."))
    repeats = models.PositiveIntegerField(default=0, verbose_name=_("sent again"))
    repeated_at = models.DateTimeField(null=True, blank=True, verbose_name=_("last sent again at"))
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("answered by")
    )
    acknowledged_at = models.DateTimeField(null=True, blank=True, verbose_name=_("answered at"))
    withdrawn_at = models.DateTimeField(null=True, blank=True, verbose_name=_("withdrawn at"))
    is_duress = models.BooleanField(default=False, verbose_name=_("withdrawn under duress"))
    wrong_codes = models.PositiveSmallIntegerField(default=0, verbose_name=_("wrong codes"))
    ended_at = models.DateTimeField(null=True, blank=True, verbose_name=_("ended at"))
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("ended by")
    )
    outcome = models.CharField(max_length=400, blank=True, verbose_name=_("outcome"))
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))

    objects = SosQuerySet.as_manager()

    class Meta:
        verbose_name = _("call for help")
        verbose_name_plural = _("calls for help")
        ordering = ["-id"]
        indexes = [
            # Every command screen asks: is anybody calling for help?
            models.Index(fields=["-id"], name="sos_open", condition=Q(ended_at=None)),
        ]

    def __str__(self) -> str:
        return f"SOS {self.pk}"


class WelfareCheck(models.Model):
    """A unit's timer: it is asked whether all is well before ``due_at``, and help is told if it does not answer."""

    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="welfare", verbose_name=_("unit"))
    assignment = models.ForeignKey(
        "patrol.Assignment", null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("assignment")
    )
    minutes = models.PositiveSmallIntegerField(verbose_name=_("every (minutes)"))
    started_at = models.DateTimeField(verbose_name=_("from"))
    due_at = models.DateTimeField(verbose_name=_("answer due at"))
    warned_at = models.DateTimeField(null=True, blank=True, verbose_name=_("warned at"))
    escalated_at = models.DateTimeField(null=True, blank=True, verbose_name=_("escalated at"))
    answered_at = models.DateTimeField(null=True, blank=True, verbose_name=_("last answered at"))
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("answered by")
    )
    ended_at = models.DateTimeField(null=True, blank=True, verbose_name=_("ended at"))
    ended_because = models.CharField(max_length=200, blank=True, verbose_name=_("ended because"))

    objects = WelfareQuerySet.as_manager()

    class Meta:
        verbose_name = _("welfare check")
        verbose_name_plural = _("welfare checks")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["unit"],
                condition=Q(ended_at=None),
                name="welfare_one_a_unit",
                violation_error_message=_("This unit's timer runs already."),
            )
        ]
        indexes = [
            # The sweep: whose answer is due?
            models.Index(fields=["due_at"], name="welfare_due", condition=Q(ended_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.unit_id} {self.due_at}"


class ShiftPack(models.Model):
    """What one shift hands to the next: generated, edited, signed by both supervisors. Frozen once both have signed."""

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        HANDED = "handed", _("Signed by the outgoing")
        SIGNED = "signed", _("Signed by both")

    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="+", verbose_name=_("agency"))
    governorate = models.ForeignKey(
        Zone, on_delete=models.PROTECT, limit_choices_to=GOVERNORATE_ONLY, related_name="+", verbose_name=_("governorate")
    )
    shift_from = models.DateTimeField(verbose_name=_("shift from"))
    shift_to = models.DateTimeField(verbose_name=_("shift to"))
    state = models.CharField(max_length=6, choices=State, default=State.DRAFT, verbose_name=_("state"))
    facts = models.JSONField(
        default=dict, verbose_name=_("facts"), help_text=_("Open incidents, units, tasks, pending alerts, outages, flags.")
    )
    notes = models.JSONField(default=dict, verbose_name=_("notes"), help_text=_("What people added, section by section."))
    generated_at = models.DateTimeField(verbose_name=_("generated at"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("made by")
    )
    signed_out_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("outgoing")
    )
    signed_out_at = models.DateTimeField(null=True, blank=True, verbose_name=_("outgoing signed at"))
    signed_in_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("incoming")
    )
    signed_in_at = models.DateTimeField(null=True, blank=True, verbose_name=_("incoming signed at"))
    content_sha256 = models.CharField(max_length=64, blank=True, verbose_name=_("what was signed (SHA-256)"))
    late_announced_at = models.DateTimeField(null=True, blank=True, verbose_name=_("missed signature announced at"))
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("shift handover pack")
        verbose_name_plural = _("shift handover packs")
        ordering = ["-shift_from", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["agency", "governorate", "shift_from"],
                name="shift_pack_once",
                violation_error_message=_("There is a pack of this shift."),
            ),
            models.CheckConstraint(
                condition=Q(signed_in_by=None) | ~Q(signed_in_by=F("signed_out_by")),
                name="shift_pack_two_people",
                violation_error_message=_("Two people sign: the incoming supervisor is another person."),
            ),
            models.CheckConstraint(condition=Q(shift_to__gt=F("shift_from")), name="shift_pack_ends"),
        ]

    def __str__(self) -> str:
        return f"{self.shift_from:%Y-%m-%d %H:%M}"
