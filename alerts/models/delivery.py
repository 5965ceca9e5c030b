"""The telling itself: a page of a person, the deliveries on its rungs, their attempts and receipts; words, health, limits of channels."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import User
from alerts.choices import Channel, Importance
from alerts.models.alert import Alert
from alerts.models.people import Contact, ContactMethod, PushSubscription
from alerts.models.policy import StepRun
from alerts.querysets import DeliveryQuerySet, PageQuerySet


class Page(models.Model):
    """One person is to be told of one alert by one step. It climbs its rungs until the alert is acknowledged: having
    read it is no answer.

    The row is the queue: ``next_at`` says when the next rung is due. ``(step run, person)`` is unique: nobody is paged twice for one step.
    """

    class State(models.TextChoices):
        RUNNING = "running", pgettext_lazy("page", "Running")
        HELD = "held", pgettext_lazy("page", "Held (quiet hours)")
        ANSWERED = "answered", pgettext_lazy("page", "Acknowledged")
        EXHAUSTED = "exhausted", pgettext_lazy("page", "All channels tried")
        CANCELLED = "cancelled", pgettext_lazy("page", "Cancelled")

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="pages", verbose_name=_("alert"))
    step_run = models.ForeignKey(
        StepRun,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="pages",
        verbose_name=_("step"),
        help_text=_("Empty: paged by hand."),
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="pages", verbose_name=_("person")
    )
    contact = models.ForeignKey(Contact, null=True, blank=True, on_delete=models.PROTECT, related_name="pages", verbose_name=_("contact"))
    importance = models.CharField(max_length=9, choices=Importance, default=Importance.DEFAULT, verbose_name=_("importance"))
    rungs = models.JSONField(default=list, verbose_name=_("rungs"), help_text=_("As they were when the page was made."))
    rung_no = models.PositiveSmallIntegerField(default=0, verbose_name=_("next rung"))
    state = models.CharField(max_length=9, choices=State, default=State.RUNNING, verbose_name=_("state"))
    next_at = models.DateTimeField(null=True, verbose_name=_("next rung due at"))
    code = models.CharField(
        max_length=12,
        unique=True,
        verbose_name=_("reply code"),
        help_text=_("What a reply, a keypress or a link names. It expires with the page."),
    )
    code_expires_at = models.DateTimeField(verbose_name=_("code valid until"))
    created_at = models.DateTimeField(db_default=Now(), verbose_name=_("made at"))
    ended_at = models.DateTimeField(null=True, blank=True, verbose_name=_("ended at"))
    why = models.CharField(max_length=200, blank=True, verbose_name=_("why this person"), help_text=_("On call in …, supervisor of …"))

    because = models.JSONField(default=dict, blank=True, editable=False, verbose_name=_("why this person, as a code with its names"))

    objects = PageQuerySet.as_manager()

    class Meta:
        verbose_name = _("page of a person")
        verbose_name_plural = _("pages of people")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False, contact=None) | Q(user=None, contact__isnull=False),
                name="page_of_one",
                violation_error_message=_("It pages a person or a contact."),
            ),
            models.UniqueConstraint(
                fields=["step_run", "user", "contact"], condition=Q(step_run__isnull=False), name="page_once_a_step", nulls_distinct=False
            ),
        ]
        indexes = [
            # The claim: rungs that are due.
            models.Index(fields=["next_at"], name="page_due", condition=Q(state__in=["running", "held"])),
            # What pages this person now?
            models.Index(fields=["user", "-id"], name="page_of_user", condition=Q(state__in=["running", "held", "exhausted"])),
        ]

    def __str__(self) -> str:
        return f"{self.alert_id} · {self.user_id or self.contact_id}"


class DeliveryState(models.TextChoices):
    PENDING = "pending", pgettext_lazy("delivery", "Pending")
    SENDING = "sending", pgettext_lazy("delivery", "Sending")
    SENT = "sent", pgettext_lazy("delivery", "Sent")
    DELIVERED = "delivered", pgettext_lazy("delivery", "Delivered")
    READ = "read", pgettext_lazy("delivery", "Read")
    FAILED = "failed", pgettext_lazy("delivery", "Failed")
    CANCELLED = "cancelled", pgettext_lazy("delivery", "Cancelled")


class Delivery(models.Model):
    """One message on one channel to one address. Its state only moves up, in whatever order receipts come; ``key`` is what the provider is
    given so that the same message handed over twice is one message wherever the provider can tell."""

    key = models.UUIDField(unique=True, verbose_name=_("key"))
    alert = models.ForeignKey(Alert, null=True, blank=True, on_delete=models.CASCADE, related_name="deliveries", verbose_name=_("alert"))
    page = models.ForeignKey(Page, null=True, blank=True, on_delete=models.CASCADE, related_name="deliveries", verbose_name=_("page"))
    step_run = models.ForeignKey(
        StepRun, null=True, blank=True, on_delete=models.CASCADE, related_name="deliveries", verbose_name=_("step"),
        help_text=_("Of a webhook step, which pages no person."),
    )  # fmt: skip
    rung_no = models.PositiveSmallIntegerField(default=0, verbose_name=_("rung"))
    channel = models.CharField(max_length=8, choices=Channel, verbose_name=_("channel"))
    method = models.ForeignKey(
        ContactMethod, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("contact method")
    )
    subscription = models.ForeignKey(
        PushSubscription, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("browser")
    )
    address = models.CharField(max_length=500, blank=True, verbose_name=_("address"))
    language = models.CharField(max_length=2, choices=User.Language, default=User.Language.ARABIC, verbose_name=_("language"))
    is_test = models.BooleanField(default=False, verbose_name=_("a test"))
    is_critical = models.BooleanField(default=False, verbose_name=_("critical"))
    subject = models.CharField(max_length=300, blank=True, verbose_name=_("subject"))
    body = models.TextField(blank=True, verbose_name=_("text"))
    parts = models.PositiveSmallIntegerField(default=0, verbose_name=_("SMS parts"))
    state = models.CharField(max_length=9, choices=DeliveryState, default=DeliveryState.PENDING, verbose_name=_("state"))
    attempts = models.PositiveSmallIntegerField(default=0, verbose_name=_("attempts"))
    next_at = models.DateTimeField(null=True, verbose_name=_("next attempt at"))
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    lease_owner = models.CharField(max_length=80, blank=True, editable=False)
    receipt_due_at = models.DateTimeField(
        null=True, blank=True, verbose_name=_("receipt due at"), help_text=_("Without one by then the next rung is climbed.")
    )
    provider = models.CharField(max_length=32, blank=True, verbose_name=_("provider"))
    provider_id = models.CharField(max_length=128, blank=True, verbose_name=_("provider's id"))
    error_code = models.CharField(max_length=32, blank=True, verbose_name=_("error code"))
    error = models.CharField(max_length=400, blank=True, verbose_name=_("error"))
    held_by_limit = models.BooleanField(default=False, verbose_name=_("held by a limit"))
    created_at = models.DateTimeField(db_default=Now(), verbose_name=_("made at"))
    handed_at = models.DateTimeField(null=True, blank=True, verbose_name=_("handed to the channel at"))
    sent_at = models.DateTimeField(null=True, blank=True, verbose_name=_("sent at"))
    delivered_at = models.DateTimeField(null=True, blank=True, verbose_name=_("delivered at"))
    read_at = models.DateTimeField(null=True, blank=True, verbose_name=_("read at"))
    ended_at = models.DateTimeField(null=True, blank=True, verbose_name=_("failed or cancelled at"))

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["page", "rung_no", "channel", "method", "subscription"],
                condition=Q(page__isnull=False),
                name="delivery_once_a_rung",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=Q(state__in=DeliveryState.values), name="delivery_state_known"),
        ]  # fmt: skip
        indexes = [
            # The claim: what is to be sent.
            models.Index(fields=["next_at"], name="delivery_due", condition=Q(state__in=["pending", "sending"])),
            # Receipts that did not come.
            models.Index(fields=["receipt_due_at"], name="delivery_receipt_due", condition=Q(state="sent")),
            # A provider's callback.
            models.Index(fields=["provider", "provider_id"], name="delivery_by_provider", condition=~Q(provider_id="")),
            # The undelivered list.
            models.Index(fields=["-id"], name="delivery_failed", condition=Q(state="failed")),
            # Limits: what went by this channel to this address lately.
            models.Index(fields=["channel", "address", "-handed_at"], name="delivery_lately"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.state}"


class DeliveryAttempt(models.Model):
    """One handing over to a provider. It is written before the call: after a crash in between, ``ended_at`` is empty for good."""

    class Outcome(models.TextChoices):
        UNKNOWN = "unknown", pgettext_lazy("attempt", "Unknown")
        ACCEPTED = "accepted", pgettext_lazy("attempt", "Accepted")
        HEALS = "heals", pgettext_lazy("attempt", "Failed, to be tried again")
        REFUSED = "refused", pgettext_lazy("attempt", "Refused for good")

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="tries", verbose_name=_("delivery"))
    number = models.PositiveSmallIntegerField(verbose_name=_("attempt"))
    started_at = models.DateTimeField(verbose_name=_("began"))
    ended_at = models.DateTimeField(null=True, blank=True, verbose_name=_("ended"))
    outcome = models.CharField(max_length=8, choices=Outcome, default=Outcome.UNKNOWN, verbose_name=_("outcome"))
    provider_id = models.CharField(max_length=128, blank=True, verbose_name=_("provider's id"))
    code = models.CharField(max_length=32, blank=True, verbose_name=_("code"))
    detail = models.CharField(max_length=400, blank=True, verbose_name=_("detail"))

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ["delivery", "number"]
        constraints = [models.UniqueConstraint(fields=["delivery", "number"], name="attempt_once")]

    def __str__(self) -> str:
        return f"{self.delivery_id} · {self.number}"


class Receipt(models.Model):
    """What a provider said afterwards, verified. One that comes before our own commit is kept, and applied when the delivery is marked."""

    provider = models.CharField(max_length=32, verbose_name=_("provider"))
    provider_id = models.CharField(max_length=128, verbose_name=_("provider's id"))
    status = models.CharField(max_length=32, verbose_name=_("status"))
    code = models.CharField(max_length=32, blank=True, verbose_name=_("error code"))
    received_at = models.DateTimeField(db_default=Now(), verbose_name=_("received at"))
    applied_at = models.DateTimeField(null=True, blank=True, verbose_name=_("applied at"))
    delivery = models.ForeignKey(
        Delivery, null=True, blank=True, on_delete=models.CASCADE, related_name="receipts", verbose_name=_("delivery")
    )

    class Meta:
        verbose_name = _("receipt")
        verbose_name_plural = _("receipts")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["provider", "provider_id", "status"], name="receipt_once")]

    def __str__(self) -> str:
        return f"{self.provider} {self.provider_id} {self.status}"


class MessageTemplate(models.Model):
    """The words of a message: by what it tells of, on which channel, in which language. The narrowest that fits is used."""

    class Event(models.TextChoices):
        ANY = "any", pgettext_lazy("template", "Any alert")
        EVENT = "event", pgettext_lazy("template", "Something that happened")
        COUNT = "count", pgettext_lazy("template", "A count of incidents")
        HOT_SPOT = "hot_spot", pgettext_lazy("template", "A hot spot")
        FORECAST = "forecast", pgettext_lazy("template", "A forecast")
        READING = "reading", pgettext_lazy("template", "A reading")
        FEED_SILENCE = "feed_silence", pgettext_lazy("template", "A silent feed")
        CAMERA = "camera", pgettext_lazy("template", "A camera")
        MANUAL = "manual", pgettext_lazy("template", "A manual alert")
        COVERAGE = "coverage", pgettext_lazy("template", "Nobody could be reached")
        RESOLVED = "resolved", pgettext_lazy("template", "An alert resolved by time")
        TEST = "test", pgettext_lazy("template", "A test")

    event = models.CharField(max_length=12, choices=Event, default=Event.ANY, verbose_name=_("tells of"))
    channel = models.CharField(max_length=8, choices=Channel, blank=True, verbose_name=_("channel"), help_text=_("Empty: every one."))
    language = models.CharField(max_length=2, choices=User.Language, verbose_name=_("language"))
    subject = models.CharField(max_length=200, blank=True, verbose_name=_("subject"))
    body = models.TextField(verbose_name=_("text"))
    provider_template = models.CharField(
        max_length=64,
        blank=True,
        verbose_name=_("approved template"),
        help_text=_("WhatsApp, outside the 24-hour window: the provider's name of it."),
    )
    is_seeded = models.BooleanField(default=False, verbose_name=_("comes with the product"))
    changed_at = models.DateTimeField(auto_now=True, verbose_name=_("changed at"))

    class Meta:
        verbose_name = _("message template")
        verbose_name_plural = _("message templates")
        ordering = ["event", "channel", "language"]
        constraints = [
            models.UniqueConstraint(
                fields=["event", "channel", "language"],
                name="template_once",
                violation_error_message=_("There is such a template already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.channel or '*'} {self.language}"


class ChannelHealth(models.Model):
    """How a channel has been doing, and whether somebody switched it off."""

    class State(models.TextChoices):
        UNKNOWN = "unknown", pgettext_lazy("channel", "Not used yet")
        OK = "ok", pgettext_lazy("channel", "Works")
        SHAKY = "shaky", pgettext_lazy("channel", "Fails now and then")
        DOWN = "down", pgettext_lazy("channel", "Down")

    channel = models.CharField(max_length=8, choices=Channel, primary_key=True, verbose_name=_("channel"))
    state = models.CharField(max_length=8, choices=State, default=State.UNKNOWN, verbose_name=_("state"))
    is_off = models.BooleanField(default=False, verbose_name=_("switched off"))
    off_because = models.CharField(max_length=200, blank=True, verbose_name=_("why"))
    last_ok_at = models.DateTimeField(null=True, blank=True, verbose_name=_("last worked at"))
    last_failed_at = models.DateTimeField(null=True, blank=True, verbose_name=_("last failed at"))
    last_error = models.CharField(max_length=400, blank=True, verbose_name=_("last error"))
    fail_streak = models.PositiveIntegerField(default=0, verbose_name=_("failures in a row"))
    per_minute = models.PositiveIntegerField(null=True, blank=True, verbose_name=_("most a minute"))
    per_recipient_hour = models.PositiveIntegerField(null=True, blank=True, verbose_name=_("most an hour to one recipient"))

    class Meta:
        verbose_name = _("channel")
        verbose_name_plural = _("channels")
        ordering = ["channel"]

    def __str__(self) -> str:
        return self.get_channel_display()
