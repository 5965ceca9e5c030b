"""How often a partner may call, and what came of its calls."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from interop.querysets import RequestLogQuerySet, UsageQuerySet
from interop.scopes import Scope

MOST_PER_MINUTE = 600_000
_BOUNDS = [MinValueValidator(1), MaxValueValidator(MOST_PER_MINUTE)]


class RatePlan(models.Model):
    """How often the partners on it may call: all of a partner's keys together."""

    name = models.CharField(max_length=60, unique=True, verbose_name=_("name"))
    per_minute = models.PositiveIntegerField(default=100, validators=_BOUNDS, verbose_name=_("calls a minute"))
    burst = models.PositiveIntegerField(
        default=100, validators=_BOUNDS, verbose_name=_("at once"), help_text=_("So many calls may come in one moment.")
    )

    class Meta:
        verbose_name = _("rate plan")
        verbose_name_plural = _("rate plans")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(per_minute__range=(1, MOST_PER_MINUTE), burst__range=(1, MOST_PER_MINUTE)),
                name="rate_plan_bounds",
                violation_error_message=_("1 to 600,000."),
            )
        ]

    def __str__(self) -> str:
        return self.name


class RateOverride(models.Model):
    """What a plan allows for one scope, counted apart from the rest."""

    plan = models.ForeignKey(RatePlan, on_delete=models.CASCADE, related_name="overrides", verbose_name=_("rate plan"))
    scope = models.CharField(max_length=32, choices=Scope, verbose_name=_("for"))
    per_minute = models.PositiveIntegerField(validators=_BOUNDS, verbose_name=_("calls a minute"))
    burst = models.PositiveIntegerField(validators=_BOUNDS, verbose_name=_("at once"))

    class Meta:
        verbose_name = _("rate of a scope")
        verbose_name_plural = _("rates of scopes")
        ordering = ["plan", "scope"]
        constraints = [
            models.UniqueConstraint(
                fields=["plan", "scope"],
                name="rate_override_once",
                violation_error_message=_("This plan has a rate for this scope already."),
            ),
            models.CheckConstraint(
                condition=Q(per_minute__range=(1, MOST_PER_MINUTE), burst__range=(1, MOST_PER_MINUTE)),
                name="rate_override_bounds",
                violation_error_message=_("1 to 600,000."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan} · {self.get_scope_display()}"


class RequestLog(models.Model):
    """One call of the API. The table is partitioned by day (``core.partitions``); rows come in batches, old days are dropped whole.

    Neither bodies nor values of the address: the route is the template, not what stood in it.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(verbose_name=_("at"))
    request_id = models.CharField(max_length=64, verbose_name=_("request id"))
    key_id = models.BigIntegerField(null=True, verbose_name=_("partner key"))
    partner_id = models.BigIntegerField(null=True, verbose_name=_("partner"))
    user_id = models.BigIntegerField(null=True, verbose_name=_("user"))
    agency_id = models.BigIntegerField(null=True, verbose_name=_("agency"))
    caller = models.CharField(max_length=150, blank=True, verbose_name=_("caller"))
    method = models.CharField(max_length=7, verbose_name=_("method"))
    route = models.CharField(max_length=200, blank=True, verbose_name=_("route"))
    status = models.PositiveSmallIntegerField(verbose_name=_("status"))
    ms = models.FloatField(verbose_name=_("milliseconds"))
    bytes_in = models.BigIntegerField(verbose_name=_("bytes in"))
    bytes_out = models.BigIntegerField(verbose_name=_("bytes out"))
    address = models.GenericIPAddressField(null=True, verbose_name=_("network address"))

    objects = RequestLogQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "interop_requestlog"
        verbose_name = _("API call")
        verbose_name_plural = _("API calls")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.method} {self.route or '–'} {self.status}"


class KeyUsage(models.Model):
    """What a key did in a day (of the site's own time zone), counted from the request log; kept when the log's days are gone."""

    key = models.ForeignKey("interop.PartnerKey", on_delete=models.CASCADE, related_name="usage", verbose_name=_("partner key"))
    day = models.DateField(verbose_name=_("day"))
    calls = models.PositiveBigIntegerField(verbose_name=_("calls"))
    refused = models.PositiveBigIntegerField(verbose_name=_("answered 4xx"))
    limited = models.PositiveBigIntegerField(verbose_name=_("answered 429"))
    failed = models.PositiveBigIntegerField(verbose_name=_("answered 5xx"))
    p50_ms = models.FloatField(verbose_name=_("half within (ms)"))
    p95_ms = models.FloatField(verbose_name=_("95 in 100 within (ms)"))
    bytes_in = models.PositiveBigIntegerField(verbose_name=_("bytes in"))
    bytes_out = models.PositiveBigIntegerField(verbose_name=_("bytes out"))
    last_at = models.DateTimeField(verbose_name=_("last used"))
    counted_at = models.DateTimeField(verbose_name=_("counted at"))

    objects = UsageQuerySet.as_manager()

    class Meta:
        verbose_name = _("use of a key")
        verbose_name_plural = _("use of keys")
        ordering = ["-day", "key"]
        constraints = [models.UniqueConstraint(fields=["key", "day"], name="key_usage_once")]

    def __str__(self) -> str:
        return f"{self.key} {self.day}"
