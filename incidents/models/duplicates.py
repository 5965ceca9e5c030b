"""Pairs of incidents that may be one event, and what a person said of them."""

from __future__ import annotations

from django.conf import settings
from django.contrib.gis.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from incidents.models.incident import Incident
from incidents.querysets import DuplicateQuerySet


class DuplicateCandidate(models.Model):
    """Two incidents that look alike, with how much and why. Nothing happens to them until a person decides, and that can be undone."""

    class State(models.TextChoices):
        WAITING = "waiting", _("To be decided")
        MERGED = "merged", pgettext_lazy("two incidents", "Merged")
        LINKED = "linked", _("Linked: one event, two cases")
        DISMISSED = "dismissed", _("Not the same")

    first = models.ForeignKey(Incident, on_delete=models.CASCADE, db_index=False, related_name="+", verbose_name=_("first incident"))
    second = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="+", verbose_name=_("second incident"))
    score = models.FloatField(verbose_name=_("likeness"), help_text=_("0 to 1: a rank, no probability."))
    distance_m = models.FloatField(verbose_name=_("apart (m)"))
    minutes = models.FloatField(verbose_name=_("apart (minutes)"))
    parts = models.JSONField(
        verbose_name=_("parts"), help_text=_("near, soon, kin and words, each 0 to 1; null where nothing can be said.")
    )
    code_version = models.CharField(max_length=64, blank=True, verbose_name=_("code version"))
    state = models.CharField(max_length=10, choices=State, default=State.WAITING, verbose_name=_("state"))
    kept = models.ForeignKey(
        Incident, null=True, blank=True, on_delete=models.SET_NULL, db_index=False, related_name="+", verbose_name=_("kept incident")
    )
    found_at = models.DateTimeField(db_default=Now(), verbose_name=_("found at"))
    decided_at = models.DateTimeField(null=True, blank=True, verbose_name=_("decided at"))
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("decided by")
    )
    reason = models.TextField(blank=True, verbose_name=_("reason"))

    objects = DuplicateQuerySet.as_manager()

    class Meta:
        verbose_name = _("possible duplicate")
        verbose_name_plural = _("possible duplicates")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["first", "second"], name="duplicate_pair_once", violation_error_message=_("This pair is there already.")
            ),
            models.CheckConstraint(
                condition=Q(first__lt=F("second")),
                name="duplicate_pair_ordered",
                violation_error_message=_("The earlier number comes first."),
            ),
            models.CheckConstraint(
                condition=Q(score__range=(0, 1)), name="duplicate_score_0_to_1", violation_error_message=_("Likeness is 0 to 1.")
            ),
            models.CheckConstraint(
                condition=~Q(state="merged") | Q(kept__isnull=False),
                name="duplicate_merged_into",
                violation_error_message=_("Say which incident is kept."),
            ),
        ]
        indexes = [
            # The queue: what waits for a person, most alike first.
            models.Index(fields=["-score", "-id"], name="duplicate_waiting", condition=Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return f"{self.first_id} · {self.second_id}"
