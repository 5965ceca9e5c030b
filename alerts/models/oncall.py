"""Who is on call: schedules of layers that rotate, what overrides them, and swaps two people agree on."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import Agency
from alerts.models.rule import GOVERNORATE_ONLY, Named
from alerts.querysets import OfScheduleQuerySet, ScheduleQuerySet
from geography.models import Zone


class OnCallSchedule(Named):
    """Whom an alert pages at a given moment: the highest layer that has somebody, unless an override says otherwise."""

    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="+", verbose_name=_("agency"))
    governorate = models.ForeignKey(
        Zone,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        limit_choices_to=GOVERNORATE_ONLY,
        verbose_name=_("governorate"),
    )
    time_zone = models.CharField(max_length=64, default="Asia/Kuwait", verbose_name=_("time zone"))
    version = models.PositiveIntegerField(default=1, verbose_name=_("version"))
    feed_key = models.CharField(
        max_length=64, unique=True, null=True, blank=True, editable=False, verbose_name=_("key of its calendar feed")
    )
    is_active = models.BooleanField(default=True, verbose_name=_("in use"))
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))

    objects = ScheduleQuerySet.as_manager()

    class Meta:
        verbose_name = _("on-call schedule")
        verbose_name_plural = _("on-call schedules")
        ordering = ["code"]


class OnCallLayer(models.Model):
    """One rotation. Times are of the schedule's clock on the wall: a change of it moves no handover."""

    class Rotation(models.TextChoices):
        DAILY = "daily", pgettext_lazy("rotation", "Daily")
        WEEKLY = "weekly", pgettext_lazy("rotation", "Weekly")
        HOURS = "hours", pgettext_lazy("rotation", "Every so many hours")

    schedule = models.ForeignKey(OnCallSchedule, on_delete=models.CASCADE, related_name="layers", verbose_name=_("schedule"))
    position = models.PositiveSmallIntegerField(default=1, verbose_name=_("order"), help_text=_("A higher one goes before a lower one."))
    name = models.CharField(max_length=80, blank=True, verbose_name=_("name"))
    rotation = models.CharField(max_length=6, choices=Rotation, default=Rotation.WEEKLY, verbose_name=_("rotation"))
    every = models.PositiveSmallIntegerField(default=1, verbose_name=_("every (days, weeks or hours)"))
    starts_on = models.DateField(verbose_name=_("from"), help_text=_("The first person's first day."))
    ends_on = models.DateField(null=True, blank=True, verbose_name=_("to"))
    handover_at = models.TimeField(verbose_name=_("handover at"))
    only_from = models.TimeField(null=True, blank=True, verbose_name=_("only from"))
    only_to = models.TimeField(null=True, blank=True, verbose_name=_("only to"))
    only_weekdays = ArrayField(
        models.PositiveSmallIntegerField(),
        default=list,
        blank=True,
        verbose_name=_("only on these weekdays"),
        help_text=_("0 is Monday. Empty: every day."),
    )

    objects = OfScheduleQuerySet.as_manager()

    class Meta:
        verbose_name = _("layer")
        verbose_name_plural = _("layers")
        ordering = ["schedule", "position"]
        constraints = [
            models.CheckConstraint(
                condition=Q(every__gte=1) & Q(every__lte=366), name="layer_every", violation_error_message=_("At least 1, at most 366.")
            ),
            models.UniqueConstraint(fields=["schedule", "position"], name="layer_order", deferrable=models.Deferrable.DEFERRED),
        ]

    def __str__(self) -> str:
        return self.name or f"{self.schedule_id} · {self.position}"


class LayerMember(models.Model):
    """A person's place in a rotation. The same person may stand in it twice."""

    layer = models.ForeignKey(OnCallLayer, on_delete=models.CASCADE, related_name="members", verbose_name=_("layer"))
    position = models.PositiveSmallIntegerField(verbose_name=_("order"))
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("person"))

    class Meta:
        verbose_name = _("person of a layer")
        verbose_name_plural = _("people of a layer")
        ordering = ["layer", "position"]
        constraints = [
            models.UniqueConstraint(fields=["layer", "position"], name="layer_member_order", deferrable=models.Deferrable.DEFERRED)
        ]

    def __str__(self) -> str:
        return f"{self.position}. {self.user_id}"


class OnCallOverride(models.Model):
    """Somebody takes a span, whatever the layers say; the newest override wins. Nobody (an empty person) is a hole made on purpose."""

    schedule = models.ForeignKey(OnCallSchedule, on_delete=models.CASCADE, related_name="overrides", verbose_name=_("schedule"))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("person")
    )
    starts_at = models.DateTimeField(verbose_name=_("from"))
    ends_at = models.DateTimeField(verbose_name=_("to"))
    reason = models.CharField(max_length=400, blank=True, verbose_name=_("reason"))
    swap = models.ForeignKey(
        "alerts.ShiftSwap", null=True, blank=True, on_delete=models.PROTECT, related_name="overrides", verbose_name=_("swap")
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("made by")
    )
    created_at = models.DateTimeField(db_default=Now(), verbose_name=_("made at"))
    is_cancelled = models.BooleanField(default=False, verbose_name=_("cancelled"))

    objects = OfScheduleQuerySet.as_manager()

    class Meta:
        verbose_name = _("override")
        verbose_name_plural = _("overrides")
        ordering = ["-starts_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="override_ends", violation_error_message=_("It ends before it begins.")
            )
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.starts_at:%Y-%m-%d %H:%M}"


class ShiftSwap(models.Model):
    """One asks to be relieved for a span, another takes it: it becomes an override when it is taken."""

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("swap", "Open")
        TAKEN = "taken", pgettext_lazy("swap", "Taken")
        DECLINED = "declined", pgettext_lazy("swap", "Declined")
        WITHDRAWN = "withdrawn", pgettext_lazy("swap", "Withdrawn")

    schedule = models.ForeignKey(OnCallSchedule, on_delete=models.CASCADE, related_name="swaps", verbose_name=_("schedule"))
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("asked by"))
    asked_of = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("asked of"),
        help_text=_("Empty: of anybody on the schedule."),
    )  # fmt: skip
    starts_at = models.DateTimeField(verbose_name=_("from"))
    ends_at = models.DateTimeField(verbose_name=_("to"))
    reason = models.CharField(max_length=400, blank=True, verbose_name=_("reason"))
    state = models.CharField(max_length=9, choices=State, default=State.OPEN, verbose_name=_("state"))
    taken_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("taken by")
    )
    created_at = models.DateTimeField(db_default=Now(), verbose_name=_("asked at"))
    ended_at = models.DateTimeField(null=True, blank=True, verbose_name=_("taken, declined or withdrawn at"))
    answer = models.CharField(max_length=400, blank=True, verbose_name=_("answer"))

    objects = OfScheduleQuerySet.as_manager()

    class Meta:
        verbose_name = _("swap")
        verbose_name_plural = _("swaps")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="swap_ends", violation_error_message=_("It ends before it begins.")
            )
        ]

    def __str__(self) -> str:
        return f"{self.asked_by_id} {self.starts_at:%Y-%m-%d %H:%M}"
