"""Reports as they came, the imports that brought them, and the rows that could not go in."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from incidents.models.incident import Incident
from incidents.models.vocabulary import Source


class ImportRun(models.Model):
    """One file brought in (or tried): its archive, its mapping, what became of its rows."""

    class Status(models.TextChoices):
        UPLOADED = "uploaded", _("Uploaded")
        QUEUED = "queued", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        CANCELLED = "cancelled", _("Cancelled")
        FAILED = "failed", _("Failed")

    source = models.ForeignKey(
        Source, null=True, blank=True, on_delete=models.PROTECT, related_name="import_runs", verbose_name=_("source")
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED, verbose_name=_("status"))
    file_name = models.CharField(max_length=255, verbose_name=_("file"))
    format = models.CharField(max_length=12, blank=True, verbose_name=_("format"))
    size_bytes = models.BigIntegerField(default=0, verbose_name=_("size in bytes"))
    sha256 = models.CharField(max_length=64, blank=True, verbose_name=_("SHA-256"))
    archived_as = models.CharField(max_length=400, blank=True, verbose_name=_("archived as"))
    options = models.JSONField(default=dict, blank=True, verbose_name=_("options"), help_text=_("Mapping, time zone, projection."))
    is_dry_run = models.BooleanField(default=False, verbose_name=_("dry run"))
    read = models.PositiveBigIntegerField(default=0, verbose_name=_("read"))
    accepted = models.PositiveBigIntegerField(default=0, verbose_name=_("accepted"))
    duplicates = models.PositiveBigIntegerField(default=0, verbose_name=_("duplicates"))
    rejected = models.PositiveBigIntegerField(default=0, verbose_name=_("rejected"))
    total = models.PositiveBigIntegerField(null=True, blank=True, verbose_name=_("rows in the file"))
    position = models.PositiveBigIntegerField(
        default=0, verbose_name=_("last row done"), help_text=_("A run that was cut off goes on behind this row.")
    )
    quality = models.JSONField(
        default=dict,
        blank=True,
        verbose_name=_("quality"),
        help_text=_("Counts: rows without a place, doubtful times, unknown words, rejected rows by code."),
    )
    rejects_file = models.CharField(max_length=400, blank=True, verbose_name=_("rejects file"))
    error = models.TextField(blank=True, verbose_name=_("error"))
    cancel_requested = models.BooleanField(default=False, verbose_name=_("cancel requested"))
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("requested by")
    )
    created_at = models.DateTimeField(auto_now_add=True, verbose_name=_("created at"))
    started_at = models.DateTimeField(null=True, blank=True, verbose_name=_("started at"))
    finished_at = models.DateTimeField(null=True, blank=True, verbose_name=_("finished at"))
    heartbeat_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.file_name} #{self.pk}"


class Report(models.Model):
    """What a source said, as it came. (source, external_id) is said once; the incident it fed may have heard several."""

    # ``source`` and ``import_run`` are guarded statement by statement, as an incident's codes are (docs/decisions/0030).
    source = models.ForeignKey(
        Source, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="reports", verbose_name=_("source")
    )
    external_id = models.CharField(
        max_length=128,
        db_collation="C",
        verbose_name=_("the source's id"),
        help_text=_("Where the source gives none, a digest of the row."),
    )
    incident = models.ForeignKey(
        Incident, null=True, blank=True, on_delete=models.PROTECT, related_name="reports", verbose_name=_("incident")
    )
    kind = models.CharField(max_length=32, verbose_name=_("message kind"))
    raw = models.JSONField(verbose_name=_("as it came"))
    import_run = models.ForeignKey(
        ImportRun,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name=_("import"),
    )
    row_number = models.PositiveIntegerField(null=True, blank=True, verbose_name=_("row"))
    received_at = models.DateTimeField(db_default=Now(), verbose_name=_("received at"))

    class Meta:
        verbose_name = _("report")
        verbose_name_plural = _("reports")
        ordering = ["-id"]
        indexes = [
            # What one import brought: its rows lie side by side.
            BrinIndex(fields=["import_run"], name="report_by_run", autosummarize=True),
            # The hours of each feed, counted as they come.
            BrinIndex(fields=["received_at"], name="report_by_time", autosummarize=True),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "external_id"], name="report_once", violation_error_message=_("This source has reported this id already.")
            )
        ]

    def __str__(self) -> str:
        return f"{self.external_id}"


class RejectedRow(models.Model):
    """A row that could not go in, with what is wrong, until somebody corrects or dismisses it."""

    class Status(models.TextChoices):
        REJECTED = "rejected", _("Rejected")
        QUARANTINED = "quarantined", _("Quarantined")
        CORRECTED = "corrected", _("Corrected")
        DISMISSED = "dismissed", _("Dismissed")

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="rejected_rows", verbose_name=_("source"))
    import_run = models.ForeignKey(
        ImportRun, null=True, blank=True, on_delete=models.CASCADE, related_name="rejected_rows", verbose_name=_("import")
    )
    row_number = models.PositiveIntegerField(null=True, blank=True, verbose_name=_("row"))
    external_id = models.CharField(max_length=128, blank=True, db_collation="C", verbose_name=_("the source's id"))
    status = models.CharField(max_length=12, choices=Status, verbose_name=_("status"))
    errors = models.JSONField(verbose_name=_("errors"), help_text=_("A list of {field, code, message}."))
    raw = models.JSONField(verbose_name=_("as it came"))
    incident = models.ForeignKey(Incident, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("incident"))
    created_at = models.DateTimeField(db_default=Now(), verbose_name=_("created at"))
    resolved_at = models.DateTimeField(null=True, blank=True, verbose_name=_("resolved at"))

    class Meta:
        verbose_name = _("rejected row")
        verbose_name_plural = _("rejected rows")
        ordering = ["-id"]
        indexes = [
            # A source's waiting rows; a second run of the same file finds the row instead of adding it again.
            models.Index(fields=["source", "external_id"], name="rejected_by_id"),
            BrinIndex(fields=["created_at"], name="rejected_by_time", autosummarize=True),
        ]

    def __str__(self) -> str:
        return f"{self.source_id} {self.row_number}"
