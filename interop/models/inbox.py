"""Everything the systems that talk to us have said."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from incidents.models import Incident, Source
from interop.models.bodies import AsSent
from interop.models.partners import Kind, PartnerKey
from interop.querysets import InboxQuerySet


class InboxMessage(models.Model):
    """One message as it came, and what became of it. Whatever was answered with a 2xx is here, committed."""

    class Status(models.TextChoices):
        RECEIVED = "received", _("Received")
        PROCESSED = "processed", _("Processed")
        REJECTED = "rejected", _("Rejected")
        DEAD = "dead", _("Dead")

    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="+", verbose_name=_("source"))
    kind = models.CharField(max_length=32, choices=Kind, verbose_name=_("message kind"))
    message_id = models.CharField(
        max_length=128, verbose_name=_("the source's id"), help_text=_("Where the source gives none, its idempotency key or a digest.")
    )
    idempotency_key = models.CharField(max_length=100, null=True, blank=True, verbose_name=_("idempotency key"))
    digest = models.CharField(max_length=64, verbose_name=_("digest of the body"))
    body = models.JSONField(decoder=AsSent, verbose_name=_("as it came"))
    status = models.CharField(max_length=10, choices=Status, default=Status.RECEIVED, verbose_name=_("status"))
    attempts = models.PositiveSmallIntegerField(default=0, verbose_name=_("attempts"))
    errors = models.JSONField(default=list, blank=True, verbose_name=_("errors"), help_text=_("A list of {field, code, detail}."))
    key = models.ForeignKey(PartnerKey, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("partner key"))
    incident = models.ForeignKey(Incident, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("incident"))
    # Jurisdiction as plain ids: who may see a message is decided without a join.
    agency_id = models.BigIntegerField(editable=False)
    governorate_id = models.BigIntegerField(null=True, editable=False)
    request_id = models.CharField(max_length=64, blank=True, verbose_name=_("request id"))
    received_at = models.DateTimeField(default=timezone.now, db_default=Now(), verbose_name=_("received at"))
    processed_at = models.DateTimeField(null=True, blank=True, verbose_name=_("processed at"))

    objects = InboxQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "message_id"], name="message_once", violation_error_message=_("This source has sent this id already.")
            ),
            models.UniqueConstraint(
                fields=["source", "idempotency_key"],
                name="message_key_once",
                violation_error_message=_("This source has used this idempotency key already."),
            ),
            models.CheckConstraint(
                condition=~Q(status="processed") | Q(processed_at__isnull=False),
                name="message_processed_when",
                violation_error_message=_("A processed message says when."),
            ),
        ]
        indexes = [
            # The sweep: what is kept and not yet processed, oldest first.
            models.Index(fields=["id"], name="message_waiting", condition=Q(status="received")),
            # The admin's list of what needs a person, newest first.
            models.Index(fields=["-id"], name="message_refused", condition=Q(status__in=["dead", "rejected"])),
            # The hours of each feed, counted as they come.
            BrinIndex(fields=["received_at"], name="message_by_time", autosummarize=True),
        ]

    def __str__(self) -> str:
        return self.message_id

    def problems(self) -> list[dict[str, Any]]:
        return list(self.errors)


class InboxRepeat(models.Model):
    """A message we had already came again, word for word: a row for the count of its feed's hour, gone some days later."""

    source = models.ForeignKey(
        Source, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+", verbose_name=_("source")
    )
    at = models.DateTimeField(default=timezone.now, db_default=Now(), verbose_name=_("at"))

    class Meta:
        verbose_name = _("exact repeat")
        verbose_name_plural = _("exact repeats")
        indexes = [
            # The count of the last days, and their end.
            BrinIndex(fields=["at"], name="repeat_by_time", autosummarize=True),
        ]

    def __str__(self) -> str:
        return f"{self.source_id} {self.at:%Y-%m-%d %H:%M}"
