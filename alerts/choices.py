"""Words that several parts of the alerts share."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Level(models.TextChoices):
    """How bad it is; the order of the members is the order of the levels."""

    LOW = "low", pgettext_lazy("alert level", "Low")
    MEDIUM = "medium", pgettext_lazy("alert level", "Medium")
    HIGH = "high", pgettext_lazy("alert level", "High")
    CRITICAL = "critical", pgettext_lazy("alert level", "Critical")

    @property
    def rank(self) -> int:
        return list(Level).index(self)


class Channel(models.TextChoices):
    """By what a message travels. One file a channel in ``alerts/channels``."""

    IN_APP = "in_app", _("On the screen")
    EMAIL = "email", _("E-mail")
    SMS = "sms", _("SMS")
    WHATSAPP = "whatsapp", _("WhatsApp")
    VOICE = "voice", _("Voice call")
    PUSH = "push", _("Browser push")
    SLACK = "slack", _("Slack")
    WEBHOOK = "webhook", _("Webhook")
    GATEWAY = "gateway", _("SMS gateway")


class Importance(models.TextChoices):
    """Which of a person's own notification rules a step uses."""

    DEFAULT = "default", pgettext_lazy("notification", "Default")
    IMPORTANT = "important", pgettext_lazy("notification", "Important")


class Through(models.TextChoices):
    """By what a person acknowledged, or acted."""

    SCREEN = "screen", _("the screen")
    SMS = "sms", _("SMS")
    WHATSAPP = "whatsapp", _("WhatsApp")
    VOICE = "voice", _("a keypress")
    LINK = "link", _("a signed link")
    PUSH = "push", _("browser push")
    API = "api", _("the API")
    COMMAND_CENTRE = "admin", _("the command centre")
    SYSTEM = "system", _("the system")
