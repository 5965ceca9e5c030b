"""How the CAP messages of a source follow one another."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from incidents.models import Source
from interop.models.inbox import InboxMessage


class CapMessage(models.Model):
    """A message that was taken in, or one that another refers to and that has not come (yet). It never changes; what follows it does.

    Messages that refer to one another are a chain, which has a first one (``head``). Alerts name it as their subject.
    """

    class Effect(models.TextChoices):
        OPENED = "opened", pgettext_lazy("warning", "Opened alerts")
        CHANGED = "changed", pgettext_lazy("warning", "Changed alerts")
        ENDED = "ended", pgettext_lazy("warning", "Ended alerts")
        NOT_ACTUAL = "not_actual", pgettext_lazy("warning", "Not meant for real")
        EXPIRED = "expired", pgettext_lazy("warning", "Past its end when it came")
        ELSEWHERE = "elsewhere", pgettext_lazy("warning", "About another place")
        OVERTAKEN = "overtaken", pgettext_lazy("warning", "A later one came first")
        NOTED = "noted", pgettext_lazy("warning", "Changes nothing")

    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="+", verbose_name=_("source"))
    name = models.CharField(max_length=128, verbose_name=_("sender, identifier and time"))
    head = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="chain", verbose_name=_("first of its chain")
    )
    message = models.OneToOneField(
        InboxMessage, null=True, blank=True, on_delete=models.SET_NULL, related_name="cap", verbose_name=_("message")
    )
    effect = models.CharField(max_length=12, choices=Effect, blank=True, verbose_name=_("effect"), help_text=_("Empty: it has not come."))
    is_over = models.BooleanField(default=False, verbose_name=_("replaced or called off"))
    at = models.DateTimeField(default=timezone.now, verbose_name=_("at"))

    class Meta:
        verbose_name = _("CAP message")
        verbose_name_plural = _("CAP messages")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["source", "name"], name="cap_message_once")]

    def __str__(self) -> str:
        return self.name
