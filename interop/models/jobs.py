"""Batches too long to wait for: a row a batch, and a row for each of its messages until it has been taken in."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from incidents.models import Incident, Source
from interop.models.bodies import AsSent
from interop.models.inbox import InboxMessage
from interop.models.partners import Kind, PartnerKey
from interop.querysets import JobQuerySet


class BatchJob(models.Model):
    """One batch that was answered with 202. Its rows are the queue; the counts follow from them, a chunk at a time."""

    class State(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        RUNNING = "running", _("Being taken in")
        DONE = "done", _("Done")
        CANCELLED = "cancelled", _("Cancelled")

    key = models.ForeignKey(PartnerKey, on_delete=models.PROTECT, related_name="jobs", verbose_name=_("partner key"))
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="+", verbose_name=_("source"))
    kind = models.CharField(max_length=32, choices=Kind, verbose_name=_("message kind"))
    idempotency_key = models.CharField(max_length=100, null=True, blank=True, verbose_name=_("idempotency key"))
    digest = models.CharField(max_length=64, verbose_name=_("digest of the body"))
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED, verbose_name=_("state"))
    total = models.PositiveIntegerField(verbose_name=_("messages"))
    opened = models.PositiveIntegerField(default=0, verbose_name=_("opened"))
    repeated = models.PositiveIntegerField(default=0, verbose_name=_("repeated"))
    rejected = models.PositiveIntegerField(default=0, verbose_name=_("rejected"))
    kept = models.PositiveIntegerField(default=0, verbose_name=_("kept"))
    cancelled = models.PositiveIntegerField(default=0, verbose_name=_("cancelled"))
    agency_id = models.BigIntegerField(editable=False)
    request_id = models.CharField(max_length=64, blank=True, verbose_name=_("request id"))
    created_at = models.DateTimeField(db_default=Now(), verbose_name=_("received at"))
    worked_at = models.DateTimeField(null=True, blank=True, verbose_name=_("last worked at"))
    finished_at = models.DateTimeField(null=True, blank=True, verbose_name=_("finished at"))

    objects = JobQuerySet.as_manager()

    class Meta:
        verbose_name = _("batch job")
        verbose_name_plural = _("batch jobs")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["key", "kind", "idempotency_key"],
                name="batch_job_key_once",
                violation_error_message=_("This key has used this idempotency key already."),
            ),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "running"]) | Q(finished_at__isnull=False),
                name="batch_job_finished_when",
                violation_error_message=_("A finished job says when."),
            ),
        ]
        indexes = [
            # The worker: what is not finished, the one that has waited longest first.
            models.Index(fields=["worked_at", "id"], name="batch_job_waiting", condition=Q(state__in=["queued", "running"])),
        ]

    def __str__(self) -> str:
        return f"{self.kind} · {self.pk}"

    @property
    def done(self) -> int:
        return self.opened + self.repeated + self.rejected + self.kept + self.cancelled

    @property
    def is_finished(self) -> bool:
        return self.state in {self.State.DONE, self.State.CANCELLED}


class BatchRow(models.Model):
    """One message of a batch: its body until the inbox has it, then what became of it."""

    job = models.ForeignKey(BatchJob, on_delete=models.CASCADE, related_name="rows", verbose_name=_("batch job"))
    index = models.PositiveIntegerField(verbose_name=_("row"), help_text=_("Counted from 0."))
    body = models.JSONField(decoder=AsSent, null=True, blank=True, verbose_name=_("as it came"))
    outcome = models.CharField(max_length=10, blank=True, verbose_name=_("outcome"), help_text=_("Empty while it waits."))
    status = models.PositiveSmallIntegerField(null=True, blank=True, verbose_name=_("status"))
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0, verbose_name=_("attempts"))
    errors = models.JSONField(default=list, db_default=[], blank=True, verbose_name=_("errors"))
    message = models.ForeignKey(
        InboxMessage, null=True, blank=True, on_delete=models.SET_NULL, db_index=False, related_name="+", verbose_name=_("message")
    )
    incident = models.ForeignKey(
        Incident, null=True, blank=True, on_delete=models.SET_NULL, db_index=False, related_name="+", verbose_name=_("incident")
    )

    class Meta:
        verbose_name = _("batch row")
        verbose_name_plural = _("batch rows")
        ordering = ["job", "index"]
        constraints = [
            models.UniqueConstraint(fields=["job", "index"], name="batch_row_once", violation_error_message=_("This row is there already."))
        ]
        indexes = [
            # The worker's claim: what waits of one job, in order.
            models.Index(fields=["job", "index"], name="batch_row_waiting", condition=Q(outcome="")),
        ]

    def __str__(self) -> str:
        return f"{self.job_id}.{self.index}"
