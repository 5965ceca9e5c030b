"""What each source sent, hour by hour, counted."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from incidents.models.vocabulary import Source
from incidents.querysets import FeedHourQuerySet


def _count(label: Promise) -> models.PositiveIntegerField:
    return models.PositiveIntegerField(default=0, db_default=0, verbose_name=label)  # type: ignore[arg-type]


class FeedHour(models.Model):
    """One source's hour, by when we received it. Counted anew from the rows themselves: nothing is added up twice."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, db_index=False, related_name="hours", verbose_name=_("source"))
    hour = models.DateTimeField(verbose_name=_("hour"))
    accepted = _count(_("accepted"))
    located = _count(_("with a place"))
    worded = _count(_("with words"))
    unknown_type = _count(_("of unknown type"))
    alike = _count(_("possible duplicates"))
    live = _count(_("that say when reported"))
    timely = _count(_("heard in time"))
    refused_rows = _count(_("rows refused"))
    outside_rows = _count(_("rows out of area"))
    refused_messages = _count(_("messages refused"))
    outside_messages = _count(_("messages out of area"))
    repeats = _count(_("exact repeats"))
    notices = _count(_("warnings taken"))
    counted_at = models.DateTimeField(verbose_name=_("counted at"))

    objects = FeedHourQuerySet.as_manager()

    class Meta:
        verbose_name = _("hour of a feed")
        verbose_name_plural = _("hours of feeds")
        ordering = ["-hour", "source"]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "hour"], name="feed_hour_once", violation_error_message=_("This hour is counted already.")
            ),
            models.CheckConstraint(
                condition=Q(located__lte=F("accepted"), worded__lte=F("accepted"), live__lte=F("accepted"), timely__lte=F("live")),
                name="feed_hour_adds_up",
                violation_error_message=_("A part is larger than its whole."),
            ),
        ]
        indexes = [
            # Every feed's last days; where the count goes on.
            models.Index(fields=["hour"], name="feed_hour_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.source} · {self.hour:%Y-%m-%d %H}"
