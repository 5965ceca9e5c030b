"""Whom alerts reach: contacts beside the accounts, their addresses, and how each person wants to be told."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts.models import Agency, User
from alerts.choices import Channel, Importance
from geography.models import Zone
from patrol.querysets import ScopedQuerySet


class Contact(models.Model):
    """Somebody to be told who does not sign in: a governorate's operations room, a duty desk, another ministry's switchboard."""

    class Kind(models.TextChoices):
        OPERATIONS_ROOM = "operations", _("Operations room")
        DESK = "desk", _("Duty desk")
        PERSON = "person", _("Person")

    kind = models.CharField(max_length=10, choices=Kind, default=Kind.DESK, verbose_name=_("kind"))
    code = models.SlugField(max_length=64, unique=True, verbose_name=_("code"))
    name_en = models.CharField(max_length=120, verbose_name=_("English name"))
    name_ar = models.CharField(max_length=120, verbose_name=_("Arabic name"))
    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="+", verbose_name=_("agency"))
    governorate = models.ForeignKey(
        Zone, null=True, blank=True, on_delete=models.PROTECT, related_name="+", limit_choices_to={"level": "governorate"},
        verbose_name=_("governorate"),
    )  # fmt: skip
    language = models.CharField(max_length=2, choices=User.Language, default=User.Language.ARABIC, verbose_name=_("language"))
    is_active = models.BooleanField(default=True, verbose_name=_("in use"))
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(
                fields=["agency", "governorate"],
                condition=Q(kind="operations", is_active=True),
                name="contact_one_operations_room",
                nulls_distinct=False,
                violation_error_message=_("This agency has an operations room there already."),
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return self.name_ar if (get_language() or "").startswith("ar") else self.name_en


class ContactMethod(models.Model):
    """An address of a person or a contact on one channel. What keeps failing for good is switched off, with its reason."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="contact_methods", verbose_name=_("person")
    )
    contact = models.ForeignKey(Contact, null=True, blank=True, on_delete=models.CASCADE, related_name="methods", verbose_name=_("contact"))
    channel = models.CharField(max_length=8, choices=Channel, verbose_name=_("channel"))
    address = models.CharField(
        max_length=500,
        blank=True,
        verbose_name=_("address"),
        help_text=_("An e-mail address, a number as +96512345678, a webhook's address."),
    )
    verified_at = models.DateTimeField(null=True, blank=True, verbose_name=_("verified at"))
    is_active = models.BooleanField(default=True, verbose_name=_("in use"))
    disabled_because = models.CharField(max_length=200, blank=True, verbose_name=_("switched off because"))
    last_ok_at = models.DateTimeField(null=True, blank=True, verbose_name=_("last reached at"))
    fail_streak = models.PositiveSmallIntegerField(default=0, verbose_name=_("failures in a row"))
    last_inbound_at = models.DateTimeField(
        null=True, blank=True, verbose_name=_("last wrote at"), help_text=_("WhatsApp: free text is allowed for 24 hours after it.")
    )
    secret_name = models.CharField(
        max_length=64,
        blank=True,
        verbose_name=_("name of its secret"),
        help_text=_("Of a webhook: the secret itself is in the environment."),
    )
    # The code by which whoever is at the other end proves the address: its digest, when it was sent, how often it was guessed.
    code_digest = models.CharField(max_length=64, blank=True, editable=False)
    code_sent_at = models.DateTimeField(null=True, blank=True, editable=False)
    code_tries = models.PositiveSmallIntegerField(default=0, editable=False)

    class Meta:
        verbose_name = _("contact method")
        verbose_name_plural = _("contact methods")
        ordering = ["user_id", "contact_id", "channel", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False, contact=None) | Q(user=None, contact__isnull=False),
                name="method_of_one",
                violation_error_message=_("It belongs to a person or to a contact."),
            ),
            models.UniqueConstraint(
                fields=["user", "contact", "channel", "address"], name="method_once", nulls_distinct=False,
                violation_error_message=_("This address is known already."),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        """Never the address itself: titles, lists and logs are read by more people than it is for."""
        return f"{self.get_channel_display()} ••{self.address[-2:]}"


class NotificationRule(models.Model):
    """One rung of a person's own ladder: by what, and how long after the rung before."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notification_rules", verbose_name=_("person")
    )
    importance = models.CharField(max_length=9, choices=Importance, default=Importance.DEFAULT, verbose_name=_("importance"))
    position = models.PositiveSmallIntegerField(verbose_name=_("order"))
    channel = models.CharField(max_length=8, choices=Channel, verbose_name=_("channel"))
    wait_s = models.PositiveIntegerField(default=60, verbose_name=_("then wait (seconds)"))

    class Meta:
        verbose_name = _("notification rule")
        verbose_name_plural = _("notification rules")
        ordering = ["user_id", "importance", "position"]
        constraints = [models.UniqueConstraint(fields=["user", "importance", "position"], name="notification_rule_order")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.importance} {self.position}"


class Preferences(models.Model):
    """Quiet hours and the sound. Quiet hours never hold back what is critical."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="alert_preferences", verbose_name=_("person")
    )
    quiet_from = models.TimeField(null=True, blank=True, verbose_name=_("quiet from"))
    quiet_to = models.TimeField(null=True, blank=True, verbose_name=_("quiet to"))
    sound_muted_until = models.DateTimeField(null=True, blank=True, verbose_name=_("sound muted until"))

    class Meta:
        verbose_name = _("preferences")
        verbose_name_plural = _("preferences")

    def __str__(self) -> str:
        return str(self.user_id)


class PushSubscription(models.Model):
    """A browser that takes push messages for a person."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="push_subscriptions", verbose_name=_("person")
    )
    endpoint = models.URLField(max_length=1000, unique=True, verbose_name=_("address"))
    p256dh = models.CharField(max_length=200)
    auth = models.CharField(max_length=100)
    browser = models.CharField(max_length=200, blank=True, verbose_name=_("browser"))
    created_at = models.DateTimeField(auto_now_add=True, verbose_name=_("since"))
    last_ok_at = models.DateTimeField(null=True, blank=True, verbose_name=_("last reached at"))
    gone_at = models.DateTimeField(null=True, blank=True, verbose_name=_("gone since"))

    class Meta:
        verbose_name = _("browser push subscription")
        verbose_name_plural = _("browser push subscriptions")
        ordering = ["user_id", "pk"]

    def __str__(self) -> str:
        return f"{self.user_id} {self.browser}"
