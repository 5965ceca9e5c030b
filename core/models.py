"""The event log, its readers' cursors, and the audit trail. No domain nouns here."""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from core.querysets import AuditQuerySet, EventQuerySet


class Event(models.Model):
    """Something that happened, written in the transaction that made it happen.

    ``seq`` is given by the relay after the transaction has committed: gapless, ascending, in commit order as the relay
    saw it. Jurisdiction travels as plain ids so that a reader can decide who may see an event without a join.
    """

    seq = models.BigIntegerField(null=True, unique=True, editable=False)
    type = models.CharField(max_length=64)
    subject_type = models.CharField(max_length=32, blank=True)
    subject_id = models.BigIntegerField(null=True)
    agency_id = models.BigIntegerField(null=True)
    governorate_id = models.BigIntegerField(null=True)
    data = models.JSONField(default=dict)
    occurred_at = models.DateTimeField(db_default=Now())

    objects = EventQuerySet.as_manager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        indexes = [
            # The relay: committed events still without a number, oldest first.
            models.Index(fields=["id"], name="event_unnumbered", condition=models.Q(seq=None)),
            # An incident's events, for replay of its room.
            models.Index(fields=["subject_type", "subject_id", "seq"], name="event_by_subject"),
            # Retention.
            BrinIndex(fields=["occurred_at"], name="event_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.seq or '–'} {self.type}"


class EventCursor(models.Model):
    """How far a reader of the log has come. One row a reader, moved in the transaction that handled the events."""

    name = models.CharField(max_length=64, primary_key=True)
    seq = models.BigIntegerField(default=0)
    moved_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("event cursor")
        verbose_name_plural = _("event cursors")

    def __str__(self) -> str:
        return f"{self.name} at {self.seq}"


class AuditEntry(models.Model):
    """What a person or a key did, through which door, and what it changed. Append-only by a database trigger."""

    class Door(models.TextChoices):
        WEB = "web", _("dashboard")
        ADMIN = "admin", _("command centre")
        API = "api", _("API")
        CLI = "cli", _("command line")
        SYSTEM = "system", _("system")

    class Actor(models.TextChoices):
        USER = "user", _("person")
        KEY = "key", _("partner key")
        SYSTEM = "system", _("system")

    at = models.DateTimeField(db_default=Now(), verbose_name=_("at"))
    door = models.CharField(max_length=8, choices=Door, verbose_name=_("door"))
    actor_kind = models.CharField(max_length=8, choices=Actor, verbose_name=_("actor kind"))
    actor_id = models.BigIntegerField(null=True, blank=True)
    actor_name = models.CharField(max_length=150, blank=True, verbose_name=_("actor"))
    verb = models.CharField(max_length=64, verbose_name=_("verb"))
    object_type = models.CharField(max_length=64, blank=True, verbose_name=_("object type"))
    object_id = models.CharField(max_length=64, blank=True, verbose_name=_("object id"))
    object_name = models.CharField(max_length=200, blank=True, verbose_name=_("object"))
    before = models.JSONField(null=True, blank=True, verbose_name=_("before"))
    after = models.JSONField(null=True, blank=True, verbose_name=_("after"))
    reason = models.TextField(blank=True, verbose_name=_("reason"))
    request_id = models.CharField(max_length=64, blank=True, verbose_name=_("request id"))
    address = models.GenericIPAddressField(null=True, blank=True, verbose_name=_("network address"))

    objects = AuditQuerySet.as_manager()

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        ordering = ["-id"]
        indexes = [
            # "What happened to this object?"
            models.Index(fields=["object_type", "object_id", "-id"], name="audit_by_object"),
            # "What did this person do?"
            models.Index(fields=["actor_kind", "actor_id", "-id"], name="audit_by_actor"),
            BrinIndex(fields=["at"], name="audit_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.actor_name or self.actor_kind} {self.verb} {self.object_name}"
