"""What other systems are told of by themselves: who listens where, what was sent, what they answered."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from interop.models.partners import Partner, PartnerKey
from interop.querysets import WebhookDeliveryQuerySet, WebhookQuerySet


class WebhookSubscription(models.Model):
    """A partner's address, and what is sent there. It hears what its key may read, and nothing once that key has stopped."""

    class State(models.TextChoices):
        ACTIVE = "active", pgettext_lazy("webhook", "Active")
        PAUSED = "paused", pgettext_lazy("webhook", "Paused")
        DISABLED = "disabled", pgettext_lazy("webhook", "Switched off after failing")
        ENDED = "ended", pgettext_lazy("webhook", "Ended by the receiver")
        REMOVED = "removed", pgettext_lazy("webhook", "Removed")

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False, verbose_name=_("id"))
    partner = models.ForeignKey(Partner, on_delete=models.PROTECT, related_name="webhooks", verbose_name=_("partner"))
    key = models.ForeignKey(
        PartnerKey,
        on_delete=models.PROTECT,
        related_name="webhooks",
        verbose_name=_("partner key"),
        help_text=_("It is told what this key may read, and nothing once the key has stopped."),
    )
    name = models.CharField(max_length=80, blank=True, verbose_name=_("name"))
    url = models.CharField(max_length=1000, verbose_name=_("address"))
    types = ArrayField(models.CharField(max_length=64), verbose_name=_("event types"), help_text=_("incident.opened, incident.*, or *."))
    governorates = models.ManyToManyField(
        "geography.Zone",
        blank=True,
        related_name="+",
        limit_choices_to={"level": "governorate"},
        verbose_name=_("governorates"),
        help_text=_("An empty list means all that the key may see."),
    )
    contact_email = models.EmailField(
        blank=True, verbose_name=_("e-mail for notices"), help_text=_("Who is told when it is switched off because the receiver fails.")
    )
    concurrency = models.PositiveSmallIntegerField(
        default=10, verbose_name=_("calls at once"), help_text=_("How many deliveries may be under way to this address at once.")
    )
    state = models.CharField(max_length=10, choices=State, default=State.ACTIVE, verbose_name=_("state"))
    state_because = models.CharField(max_length=300, blank=True, verbose_name=_("because"))
    state_since = models.DateTimeField(default=timezone.now, verbose_name=_("since"))
    # Health. A streak of failures begins with ``first_failure_at``; its clock runs (``failing_since``) once it has lasted half a day.
    last_success_at = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=_("last success"))
    first_failure_at = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=_("failing first at"))
    last_failure_at = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=_("last failure"))
    failing_since = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=_("failing since"))
    last_error = models.CharField(max_length=200, blank=True, editable=False, verbose_name=_("last error"))
    notice_due = models.BooleanField(default=False, editable=False)  # an e-mail to ``contact_email`` waits to be sent
    created_at = models.DateTimeField(default=timezone.now, editable=False, verbose_name=_("created at"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("made by"),
    )

    objects = WebhookQuerySet.as_manager()

    class Meta:
        verbose_name = pgettext_lazy("subscription", "webhook")
        verbose_name_plural = _("webhooks")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(concurrency__gte=1, concurrency__lte=50),
                name="webhook_calls_at_once",
                violation_error_message=_("1 to 50 calls at once."),
            ),
            models.CheckConstraint(
                condition=~Q(types=[]), name="webhook_hears_something", violation_error_message=_("Name an event type.")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.partner.slug}: {self.name or self.url[:80]}"

    @property
    def is_active(self) -> bool:
        return self.state == self.State.ACTIVE


class WebhookSecret(models.Model):
    """What deliveries are signed with. Sealed; shown once when made. While two live, deliveries carry both signatures."""

    subscription = models.ForeignKey(
        WebhookSubscription, on_delete=models.CASCADE, related_name="secrets", verbose_name=pgettext_lazy("subscription", "webhook")
    )
    sealed = models.CharField(max_length=300, editable=False)
    hint = models.CharField(max_length=8, verbose_name=_("ends with"))
    created_at = models.DateTimeField(default=timezone.now, verbose_name=_("created at"))
    expires_at = models.DateTimeField(null=True, blank=True, verbose_name=_("ends at"))

    class Meta:
        verbose_name = _("webhook secret")
        verbose_name_plural = _("webhook secrets")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"…{self.hint}"


class WebhookDelivery(models.Model):
    """One event for one subscription. The row is the queue: it is claimed by a lease, and stays until somebody took it or it is over."""

    class State(models.TextChoices):
        PENDING = "pending", pgettext_lazy("delivery", "Under way")
        DELIVERED = "delivered", pgettext_lazy("delivery", "Delivered")
        FAILED = "failed", pgettext_lazy("delivery", "Failed")
        CANCELLED = "cancelled", pgettext_lazy("delivery", "Cancelled")

    class Trigger(models.TextChoices):
        EVENT = "event", pgettext_lazy("delivery", "By the event")
        REPLAY = "replay", pgettext_lazy("delivery", "Sent again")
        TEST = "test", pgettext_lazy("delivery", "Test")

    subscription = models.ForeignKey(
        WebhookSubscription, on_delete=models.CASCADE, related_name="deliveries", verbose_name=pgettext_lazy("subscription", "webhook")
    )
    # Of the event, as plain values: the log's own row is dropped by its retention.
    event_id = models.BigIntegerField(verbose_name=_("event"))
    seq = models.BigIntegerField(null=True, verbose_name=_("sequence"))
    type = models.CharField(max_length=64, verbose_name=_("event type"))
    subject_type = models.CharField(max_length=32, blank=True)
    subject_id = models.BigIntegerField(null=True)
    agency_id = models.BigIntegerField(null=True)
    governorate_id = models.BigIntegerField(null=True)
    occurred_at = models.DateTimeField(verbose_name=_("occurred at"))
    body = models.TextField(blank=True, verbose_name=_("body"), help_text=_("Emptied by retention; its digest stays."))
    digest = models.CharField(max_length=64, verbose_name=_("digest of the body"))
    state = models.CharField(max_length=10, choices=State, default=State.PENDING, verbose_name=_("state"))
    trigger = models.CharField(max_length=8, choices=Trigger, default=Trigger.EVENT, verbose_name=_("sent because"))
    tries = models.PositiveSmallIntegerField(default=0, verbose_name=_("attempts"))  # in all, and in this round of retries
    round_tries = models.PositiveSmallIntegerField(default=0, editable=False)
    queued_at = models.DateTimeField(default=timezone.now, db_default=Now(), verbose_name=_("queued at"))
    next_at = models.DateTimeField(default=timezone.now, db_default=Now(), verbose_name=_("next attempt"))
    # While somebody has claimed it ``next_at`` is the end of their lease: whoever dies in the middle leaves it due again.
    lease_owner = models.CharField(max_length=64, blank=True, editable=False)
    done_at = models.DateTimeField(null=True, blank=True, verbose_name=_("done at"))
    last_code = models.PositiveSmallIntegerField(null=True, blank=True, verbose_name=_("answer"))
    last_ms = models.PositiveIntegerField(null=True, blank=True, verbose_name=_("ms"))
    last_error = models.CharField(max_length=12, blank=True, verbose_name=_("error"))

    objects = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "event_id"],
                name="webhook_event_once",
                violation_error_message=_("This event has a delivery to this webhook already."),
            ),
        ]
        indexes = [
            # The sender: what a subscription's address is due, oldest first.
            models.Index(fields=["subscription", "next_at", "id"], name="webhook_due", condition=Q(state="pending")),
            # The sender: tests go out whatever the webhook's state.
            models.Index(fields=["next_at"], name="webhook_tests", condition=Q(state="pending", trigger="test")),
            # Whether an earlier event of the same subject is still under way.
            models.Index(
                fields=["subscription", "subject_type", "subject_id", "event_id"], name="webhook_lane", condition=Q(state="pending")
            ),
            # The log's list, newest first; and what failed, for a replay.
            models.Index(fields=["subscription", "-id"], name="webhook_log"),
            models.Index(fields=["subscription", "-id"], name="webhook_failed", condition=Q(state="failed")),
            # Retention.
            models.Index(fields=["done_at"], name="webhook_done"),
        ]

    def __str__(self) -> str:
        return self.webhook_id

    @property
    def webhook_id(self) -> str:
        """The id a receiver tells repetitions by: the event's and the subscription's, the same on every attempt."""
        return f"evt_{self.event_id}_{self.subscription_id}"


class ErrorClass(models.TextChoices):
    """What went wrong, in a word."""

    DNS = "dns", pgettext_lazy("webhook error", "the name leads nowhere")
    SSRF = "ssrf", pgettext_lazy("webhook error", "the address is inside a private network")
    CONNECT = "connect", pgettext_lazy("webhook error", "no connection")
    TLS = "tls", pgettext_lazy("webhook error", "TLS")
    TIMEOUT = "timeout", pgettext_lazy("webhook error", "no answer in time")
    PROTOCOL = "protocol", pgettext_lazy("webhook error", "not HTTP")
    REDIRECT = "redirect", pgettext_lazy("webhook error", "a redirect, which is not followed")
    HTTP = "http", pgettext_lazy("webhook error", "refused")
    SECRET = "secret", pgettext_lazy("webhook error", "no secret to sign with")
    RIGHTS = "rights", pgettext_lazy("webhook error", "the key may not see it")
    STATE = "state", pgettext_lazy("webhook error", "the webhook was switched off")


class WebhookAttempt(models.Model):
    """One call: when, what was answered, how long it took."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="attempts", verbose_name=_("delivery"))
    number = models.PositiveSmallIntegerField(verbose_name=_("number"))
    trigger = models.CharField(max_length=8, choices=WebhookDelivery.Trigger, verbose_name=_("sent because"))
    started_at = models.DateTimeField(verbose_name=_("at"))
    ms = models.PositiveIntegerField(verbose_name=_("ms"))
    code = models.PositiveSmallIntegerField(null=True, blank=True, verbose_name=_("answer"))
    error = models.CharField(max_length=12, blank=True, choices=ErrorClass, verbose_name=_("error"))
    detail = models.CharField(max_length=300, blank=True, verbose_name=_("detail"))
    excerpt = models.TextField(blank=True, verbose_name=_("beginning of the answer"))

    class Meta:
        verbose_name = _("webhook attempt")
        verbose_name_plural = _("webhook attempts")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.number}: {self.code or self.error}"
