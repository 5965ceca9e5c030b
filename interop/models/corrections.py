"""What people changed in messages that could not go in."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from interop.models.bodies import AsSent
from interop.models.inbox import InboxMessage


class Correction(models.Model):
    """A message's body before and after somebody mended it: the first one's ``before`` is what the partner sent. Only added to."""

    message = models.ForeignKey(InboxMessage, on_delete=models.CASCADE, related_name="corrections", verbose_name=_("message"))
    before = models.JSONField(decoder=AsSent, verbose_name=_("before"))
    after = models.JSONField(decoder=AsSent, verbose_name=_("after"))
    reason = models.TextField(verbose_name=_("reason"))
    author_kind = models.CharField(max_length=8, verbose_name=_("author kind"))
    author_id = models.BigIntegerField(null=True, blank=True)
    author_name = models.CharField(max_length=150, blank=True, verbose_name=_("author"))
    at = models.DateTimeField(db_default=Now(), verbose_name=_("at"))

    class Meta:
        verbose_name = _("correction")
        verbose_name_plural = _("corrections")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.message_id} · {self.pk}"
