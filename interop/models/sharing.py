"""Sharing between agencies: what one lets another read, signed by both, until when; and the record of what was read."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import Agency
from interop.models.partners import Partner, Precision
from interop.querysets import AgreementQuerySet, ReadQuerySet

LONGEST = timedelta(days=366)


class Part(models.TextChoices):
    """What of an incident is told besides its reference, type, state and the times it occurred, was reported and changed."""

    GRADE = "grade", _("Priority, severity, how it ended, where it came from")
    PLACE = "place", _("Where it happened, as exactly as agreed")
    COURSE = "course", _("When it was answered: each step to its close")
    ADDRESS = "address", _("Its address (exact places only)")
    DESCRIPTION = "description", _("What was said of it (exact places only)")


class Standing(models.TextChoices):
    """What an agreement's state and its time mean together, now."""

    PROPOSED = "proposed", _("waits for signatures")
    AHEAD = "ahead", _("signed, not begun")
    HOLDS = "holds", _("in force")
    ENDED = "ended", _("its time is over")
    REVOKED = "revoked", pgettext_lazy("agreement", "revoked")


class SharingAgreement(models.Model):
    """What ``giver`` lets the systems of ``receiver`` read of its incidents. It holds while it is in force and its time runs, not a
    moment longer: who reads asks this row each time."""

    class State(models.TextChoices):
        PROPOSED = "proposed", _("Waits for signatures")
        IN_FORCE = "in_force", _("Signed by both")
        REVOKED = "revoked", _("Revoked")

    title = models.CharField(max_length=120, verbose_name=_("title"))
    purpose = models.TextField(max_length=2_000, verbose_name=_("purpose"), help_text=_("What for, and on what legal ground."))
    giver = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="agreements_given", verbose_name=_("gives"))
    receiver = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="agreements_received", verbose_name=_("receives"))
    partner = models.ForeignKey(
        Partner, null=True, blank=True, on_delete=models.PROTECT, related_name="agreements", verbose_name=_("only this system"),
        help_text=_("A system of the agency that receives. None: each of its systems."),
    )  # fmt: skip
    all_types = models.BooleanField(default=False, verbose_name=_("every type"))
    categories = ArrayField(models.CharField(max_length=32), default=list, blank=True, verbose_name=_("categories"))
    types = models.ManyToManyField("incidents.IncidentType", blank=True, related_name="+", verbose_name=_("types"))
    all_governorates = models.BooleanField(default=False, verbose_name=_("every governorate"))
    governorates = models.ManyToManyField(
        "geography.Zone", blank=True, related_name="+", limit_choices_to={"level": "governorate"}, verbose_name=_("governorates")
    )
    parts = ArrayField(models.CharField(max_length=16, choices=Part), default=list, blank=True, verbose_name=_("is told"))
    precision = models.CharField(max_length=8, choices=Precision, default=Precision.AREA, verbose_name=_("precision of places"))
    occurred_from = models.DateTimeField(
        null=True, blank=True, verbose_name=_("incidents from"), help_text=_("Only those that occurred since. None: all there are.")
    )
    starts_at = models.DateTimeField(verbose_name=_("from"))
    ends_at = models.DateTimeField(verbose_name=_("until"))
    version = models.PositiveIntegerField(default=1, editable=False, verbose_name=_("version"))
    state = models.CharField(max_length=8, choices=State, default=State.PROPOSED, editable=False, verbose_name=_("state"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", editable=False, verbose_name=_("made by")
    )
    created_at = models.DateTimeField(auto_now_add=True, verbose_name=_("created at"))
    changed_at = models.DateTimeField(auto_now=True, verbose_name=_("changed at"))
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=_("revoked at"))
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", editable=False, verbose_name=_("revoked by")
    )
    revoked_because = models.CharField(max_length=2_000, blank=True, editable=False, verbose_name=_("reason"))

    objects = AgreementQuerySet.as_manager()

    class Meta:
        verbose_name = _("sharing agreement")
        verbose_name_plural = _("sharing agreements")
        ordering = ["-id"]
        indexes = [
            # Asked at every read by a partner's key: what is in force for its agency now.
            models.Index(fields=["receiver", "ends_at"], condition=Q(state="in_force"), name="agreement_in_force")
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(giver=F("receiver")),
                name="agreement_two_agencies",
                violation_error_message=_("An agency shares with another, not with itself."),
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at"), ends_at__lte=F("starts_at") + LONGEST),
                name="agreement_time_box",
                violation_error_message=_("It ends after it begins, within 366 days."),
            ),
            models.CheckConstraint(
                condition=Q(state="revoked", revoked_at__isnull=False) | (~Q(state="revoked") & Q(revoked_at__isnull=True)),
                name="agreement_revoked_when",
                violation_error_message=_("What is revoked knows when."),
            ),
        ]

    def __str__(self) -> str:
        return f"SA-{self.pk} · {self.title}"

    @property
    def code(self) -> str:
        """What a row that was read through it carries: this agreement as it stands."""
        return f"SA-{self.pk}/{self.version}"

    def holds(self, *, at: datetime | None = None) -> bool:
        now = at or timezone.now()
        return self.state == self.State.IN_FORCE and self.starts_at <= now < self.ends_at

    @property
    def standing(self) -> Standing:
        """One word for lists."""
        now = timezone.now()
        if self.state == self.State.REVOKED:
            return Standing.REVOKED
        if now >= self.ends_at:
            return Standing.ENDED
        if self.state == self.State.PROPOSED:
            return Standing.PROPOSED
        return Standing.AHEAD if now < self.starts_at else Standing.HOLDS


class AgreementVersion(models.Model):
    """The terms as they were at one version. What was signed can be read for as long as the agreement is known."""

    agreement = models.ForeignKey(SharingAgreement, on_delete=models.PROTECT, related_name="versions", verbose_name=_("agreement"))
    version = models.PositiveIntegerField(verbose_name=_("version"))
    terms = models.JSONField(verbose_name=_("terms"))
    written_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("written by")
    )
    written_at = models.DateTimeField(auto_now_add=True, verbose_name=_("written at"))

    class Meta:
        verbose_name = _("version of an agreement")
        verbose_name_plural = _("versions of agreements")
        ordering = ["agreement", "-version"]
        constraints = [models.UniqueConstraint(fields=["agreement", "version"], name="agreement_version_once")]

    def __str__(self) -> str:
        return f"SA-{self.agreement_id}/{self.version}"


class Signature(models.Model):
    """One side's word on one version. The same person never gives it for both."""

    class Side(models.TextChoices):
        GIVER = "giver", _("Gives")
        RECEIVER = "receiver", _("Receives")

    agreement = models.ForeignKey(SharingAgreement, on_delete=models.PROTECT, related_name="signatures", verbose_name=_("agreement"))
    version = models.PositiveIntegerField(verbose_name=_("version"))
    side = models.CharField(max_length=8, choices=Side, verbose_name=_("side"))
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("signed by"))
    at = models.DateTimeField(auto_now_add=True, verbose_name=_("at"))

    class Meta:
        verbose_name = _("signature")
        verbose_name_plural = _("signatures")
        ordering = ["agreement", "version", "at"]
        constraints = [
            models.UniqueConstraint(
                fields=["agreement", "version", "side"],
                name="signature_once_a_side",
                violation_error_message=_("This side has signed already."),
            ),
            models.UniqueConstraint(
                fields=["agreement", "version", "by"],
                name="signature_two_people",
                violation_error_message=_("One person does not sign for both sides."),
            ),
        ]

    def __str__(self) -> str:
        return f"SA-{self.agreement_id}/{self.version} · {self.get_side_display()}"


class ReadRecord(models.Model):
    """Which incidents one answer told a partner's system: a row an answer (a page of a file), never their content.

    Partitioned by day (``core.partitions``). ``agreement`` is null where the partner read what is its own agency's.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(verbose_name=_("at"))
    request_id = models.CharField(max_length=64, verbose_name=_("request id"))
    key_id = models.BigIntegerField(null=True, verbose_name=_("partner key"))
    partner_id = models.BigIntegerField(null=True, verbose_name=_("partner"))
    agency_id = models.BigIntegerField(null=True, verbose_name=_("agency"))
    reader = models.CharField(max_length=150, verbose_name=_("reader"))
    agreement_id = models.BigIntegerField(null=True, verbose_name=_("agreement"))
    version = models.PositiveIntegerField(null=True, verbose_name=_("version"))
    door = models.CharField(max_length=40, verbose_name=_("door"))
    precision = models.CharField(max_length=8, choices=Precision, verbose_name=_("precision of places"))
    incident_ids = ArrayField(models.BigIntegerField(), verbose_name=_("incidents"))

    objects = ReadQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "interop_readrecord"
        verbose_name = _("read by a partner")
        verbose_name_plural = _("reads by partners")
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.reader} {self.at:%Y-%m-%d %H:%M:%S}"
