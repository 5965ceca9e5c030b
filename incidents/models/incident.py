"""An incident and the log of what became of it."""

from __future__ import annotations

from datetime import UTC, datetime

from django.contrib.gis.db import models
from django.contrib.postgres.indexes import GinIndex, GistIndex
from django.contrib.postgres.search import SearchVectorField
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models import Agency
from geography.models import Region, Zone
from incidents.lifecycle import OPEN, Disposition, Priority, Severity, State
from incidents.models.vocabulary import IncidentType, Source
from incidents.querysets import IncidentQuerySet


class Incident(models.Model):
    """What happened, where, when, and in what state it is.

    A state moves only through ``incidents.services``; each first passage keeps its time for good, and every change is in
    ``IncidentLog``. An incident may have no place: it is then unlocated, flagged and counted as such.
    """

    class Origin(models.TextChoices):
        REPORTED = "reported", _("Reported by the public")
        DISCOVERED = "discovered", _("Discovered by an officer")
        UNKNOWN = "unknown", _("Unknown")

    # The eight code columns below are guarded by triggers that look at a whole statement's rows at once (migration
    # 0006, docs/decisions/0030): a foreign key's look at every single row was a third of the cost of a bulk import.
    region = models.ForeignKey(
        Region, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+", verbose_name=_("region")
    )
    source = models.ForeignKey(
        Source, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="incidents", verbose_name=_("source")
    )
    agency = models.ForeignKey(
        Agency, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="incidents", verbose_name=_("agency")
    )
    type = models.ForeignKey(
        IncidentType, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="incidents", verbose_name=_("type")
    )
    priority = models.PositiveSmallIntegerField(choices=Priority, verbose_name=_("priority"))
    severity = models.PositiveSmallIntegerField(choices=Severity, verbose_name=_("severity"))
    state = models.CharField(max_length=12, choices=State, default=State.RECEIVED, verbose_name=_("state"))
    disposition = models.CharField(max_length=16, choices=Disposition, blank=True, verbose_name=_("disposition"))
    origin = models.CharField(max_length=12, choices=Origin, default=Origin.UNKNOWN, verbose_name=_("origin"))
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))
    description = models.TextField(blank=True, verbose_name=_("description"))

    location = models.PointField(srid=4326, null=True, blank=True, spatial_index=False, verbose_name=_("location"))
    governorate = models.ForeignKey(
        Zone,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name=_("governorate"),
    )
    area = models.ForeignKey(
        Zone, null=True, blank=True, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+", verbose_name=_("area")
    )
    block = models.ForeignKey(
        Zone,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name=_("block"),
    )
    sector = models.ForeignKey(
        Zone,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name=_("police sector"),
    )
    address = models.CharField(max_length=300, blank=True, verbose_name=_("address"))
    address_block = models.CharField(max_length=12, blank=True, verbose_name=_("block number"))
    address_street = models.CharField(max_length=80, blank=True, verbose_name=_("street"))
    address_jadda = models.CharField(max_length=24, blank=True, verbose_name=_("jadda"))
    address_building = models.CharField(max_length=24, blank=True, verbose_name=_("building"))
    paci_number = models.CharField(max_length=12, blank=True, verbose_name=_("PACI number"))

    # Each time is written once, when the state is first entered; later passages are in the log.
    occurred_at = models.DateTimeField(verbose_name=_("occurred at"))
    reported_at = models.DateTimeField(verbose_name=_("reported at"))
    received_at = models.DateTimeField(db_default=Now(), verbose_name=_("received at"))
    classified_at = models.DateTimeField(null=True, blank=True, verbose_name=_("classified at"))
    queued_at = models.DateTimeField(null=True, blank=True, verbose_name=_("queued at"))
    dispatched_at = models.DateTimeField(null=True, blank=True, verbose_name=_("dispatched at"))
    en_route_at = models.DateTimeField(null=True, blank=True, verbose_name=_("en route at"))
    on_scene_at = models.DateTimeField(null=True, blank=True, verbose_name=_("on scene at"))
    cleared_at = models.DateTimeField(null=True, blank=True, verbose_name=_("cleared at"))
    closed_at = models.DateTimeField(null=True, blank=True, verbose_name=_("closed at"))
    reopened_at = models.DateTimeField(null=True, blank=True, verbose_name=_("reopened at"))

    duplicate_of = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, db_index=False, related_name="duplicates", verbose_name=_("duplicate of")
    )
    search = SearchVectorField(null=True, editable=False)
    changed_at = models.DateTimeField(db_default=Now(), editable=False, verbose_name=_("changed at"))

    objects = IncidentQuerySet.as_manager()

    class Meta:
        verbose_name = _("incident")
        verbose_name_plural = _("incidents")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(priority__range=(1, 5)), name="incident_priority_1_to_5", violation_error_message=_("Priority is 1 to 5.")
            ),
            models.CheckConstraint(
                condition=Q(severity__range=(1, 4)), name="incident_severity_1_to_4", violation_error_message=_("Severity is 1 to 4.")
            ),
            models.CheckConstraint(
                condition=Q(state__in=State.values), name="incident_state_known", violation_error_message=_("Unknown state.")
            ),
            models.CheckConstraint(
                condition=~Q(state=State.CLOSED) | ~Q(disposition=""),
                name="incident_closed_has_disposition",
                violation_error_message=_("Say how it ended before closing."),
            ),
            models.CheckConstraint(
                condition=~Q(state=State.DUPLICATE) | Q(duplicate_of__isnull=False),
                name="incident_duplicate_of_what",
                violation_error_message=_("Say which incident this one repeats."),
            ),
            models.CheckConstraint(
                condition=Q(duplicate_of__isnull=True) | ~Q(duplicate_of=models.F("id")),
                name="incident_not_its_own_duplicate",
                violation_error_message=_("An incident cannot repeat itself."),
            ),
        ]
        indexes = [
            # The live board: what is open, newest first.
            models.Index(fields=["-id"], name="incident_open", condition=Q(state__in=sorted(OPEN))),
            # An area's page and its past; the larger zones are read by time.
            models.Index(fields=["area", "occurred_at"], name="incident_by_area", condition=Q(area__isnull=False)),
            # An incident's repeats.
            models.Index(fields=["duplicate_of"], name="incident_repeats", condition=Q(duplicate_of__isnull=False)),
            # Every list by time, and the analytics' windows.
            models.Index(fields=["occurred_at"], name="incident_by_time"),
            # Partners' pages: a key belongs to one agency. By when it happened, and by when it changed.
            models.Index(fields=["agency", "occurred_at", "id"], name="incident_agency_time"),
            models.Index(fields=["agency", "changed_at", "id"], name="incident_agency_change"),
            # Partners' boxes.
            GistIndex(fields=["location"], name="incident_by_place"),
            # Search in the admin, on the board and in the command bar.
            GinIndex(fields=["search"], name="incident_search"),
        ]

    def __str__(self) -> str:
        return self.ref

    @property
    def ref(self) -> str:
        """The reference people read out: region, year received, number. ``IncidentQuerySet.by_ref`` finds it again."""
        return make_ref(self.region.code, self.received_at, self.pk)

    @property
    def is_open(self) -> bool:
        return self.state in OPEN


def make_ref(region_code: str, received_at: datetime, pk: int) -> str:
    return f"{region_code.upper()}-{received_at.astimezone(UTC):%y}-{pk:06d}"


class IncidentLog(models.Model):
    """One change of one incident: who, what, why. Append-only by a database trigger."""

    class Kind(models.TextChoices):
        RECEIVED = "received", _("Received")
        MOVED = "moved", _("State changed")
        CHANGED = "changed", _("Details changed")
        REPORTED = "reported", _("Another report")
        NOTE = "note", _("Note")

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="log", verbose_name=_("incident"))
    at = models.DateTimeField(db_default=Now(), verbose_name=_("at"))
    kind = models.CharField(max_length=10, choices=Kind, verbose_name=_("kind"))
    from_state = models.CharField(max_length=12, choices=State, blank=True, verbose_name=_("from"))
    to_state = models.CharField(max_length=12, choices=State, blank=True, verbose_name=_("to"))
    changes = models.JSONField(null=True, blank=True, verbose_name=_("changes"), help_text=_("Field to [before, after]."))
    author_kind = models.CharField(max_length=8, verbose_name=_("author kind"))
    author_id = models.BigIntegerField(null=True, blank=True)
    author_name = models.CharField(max_length=150, blank=True, verbose_name=_("author"))
    reason = models.TextField(blank=True, verbose_name=_("reason"))

    class Meta:
        verbose_name = _("log entry")
        verbose_name_plural = _("log entries")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.incident_id} {self.kind} {self.to_state}"
