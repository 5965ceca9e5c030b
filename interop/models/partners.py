"""The systems that talk to us: who they are and by what key."""

from __future__ import annotations

import ipaddress
from functools import cached_property

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from rest_framework_api_key.models import AbstractAPIKey

from accounts.jurisdiction import Jurisdiction
from accounts.models import Agency
from geography.models import Region
from incidents.models import Source
from interop.models.limits import RatePlan
from interop.querysets import PartnerKeyManager
from interop.scopes import Scope


class Kind(models.TextChoices):
    """The messages an agency's system may send. The value is the last part of its address."""

    MOI_INCIDENT = "moi-incident", _("MOI incident")
    EMERGENCY_CALL = "emergency-call", _("112 call")
    PATROL_LOG = "patrol-log", _("Patrol log")
    FIRE_INCIDENT = "fire-incident", _("Fire incident")
    EMS_CALL = "ems-call", _("Ambulance call")
    AMBULANCE_DEPLOYMENT = "ambulance-deployment", _("Ambulance deployment")
    MUNICIPAL_COMPLAINT = "municipal-complaint", _("Municipal complaint")
    ROAD_CLOSURE = "road-closure", _("Road closure")
    TRAFFIC_ACCIDENT = "traffic-accident", _("Traffic accident")
    CONGESTION = "congestion", _("Congestion")
    CAP_ALERT = "cap-alert", _("Warning (CAP)")


class Precision(models.TextChoices):
    """How exactly a key is told where something happened: in every format, on every address, and in what it may filter by."""

    EXACT = "exact", _("Exact")
    GRID = "100m", _("To 100 metres")
    AREA = "area", _("To the area")


class Partner(models.Model):
    """A system of an agency. It reports for that agency and for no other."""

    slug = models.SlugField(max_length=24, unique=True, verbose_name=_("short name"))
    name = models.CharField(max_length=120, verbose_name=_("name"))
    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="partners", verbose_name=_("agency"))
    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="+", verbose_name=_("region"))
    kinds = ArrayField(
        models.CharField(max_length=32, choices=Kind),
        default=list,
        blank=True,
        verbose_name=_("messages it may send"),
        help_text=_("An empty list means none."),
    )
    rate_plan = models.ForeignKey(
        RatePlan,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="partners",
        verbose_name=_("rate plan"),
        help_text=_("None: 100 calls a minute, and more for what it sends."),
    )
    cap_senders = ArrayField(
        models.CharField(max_length=500),
        default=list,
        blank=True,
        verbose_name=_("senders of warnings"),
        help_text=_("Whose CAP messages it may bring, as they stand in <sender>, separated by commas. None: nobody's."),
    )
    cap_policy = models.ForeignKey(
        "alerts.EscalationPolicy",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("who is told of its warnings"),
        help_text=_("None: whoever may see them, on the screen."),
    )
    is_synthetic = models.BooleanField(
        default=False, verbose_name=_("synthetic"), help_text=_("What it reports is made up, and shown so on every screen.")
    )
    is_active = models.BooleanField(default=True, verbose_name=_("in use"))
    created_at = models.DateTimeField(auto_now_add=True, verbose_name=_("created at"))

    class Meta:
        verbose_name = _("partner")
        verbose_name_plural = _("partners")
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name


class Feed(models.Model):
    """As which source a partner's messages of one kind are kept. Made at the first message unless somebody chose one before."""

    partner = models.ForeignKey(Partner, on_delete=models.PROTECT, related_name="feeds", verbose_name=_("partner"))
    kind = models.CharField(max_length=32, choices=Kind, verbose_name=_("message kind"))
    source = models.OneToOneField(Source, on_delete=models.PROTECT, related_name="feed", verbose_name=_("source"))
    last_heard_at = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=_("last heard at"))
    silent_told_min = models.PositiveIntegerField(
        default=0, editable=False, verbose_name=_("told to be silent for (minutes)"), help_text=_("0: it is not.")
    )
    scanned_to = models.BigIntegerField(default=0, editable=False)  # the newest message the silence sweep has seen

    class Meta:
        verbose_name = _("feed")
        verbose_name_plural = _("feeds")
        ordering = ["partner", "kind"]
        constraints = [
            models.UniqueConstraint(
                fields=["partner", "kind"], name="feed_once", violation_error_message=_("This partner has a feed of this kind already.")
            )
        ]

    def __str__(self) -> str:
        return f"{self.partner} · {self.get_kind_display()}"


class PartnerKey(AbstractAPIKey):
    """A secret by which a partner's system proves who it is. Shown once; only a hash is kept.

    It acts like a person does (``jurisdiction``, ``can``): for its partner's agency, in the governorates named on it.
    """

    # The library's own primary key holds the hash and would carry it into addresses, logs and the audit trail.
    id = models.BigAutoField(primary_key=True)  # type: ignore[assignment]
    partner = models.ForeignKey(Partner, on_delete=models.PROTECT, related_name="keys", verbose_name=_("partner"))
    scopes = ArrayField(models.CharField(max_length=32, choices=Scope), default=list, verbose_name=pgettext_lazy("a key", "may"))
    governorates = models.ManyToManyField(
        "geography.Zone", blank=True, related_name="+", limit_choices_to={"level": "governorate"}, verbose_name=_("governorates")
    )
    all_governorates = models.BooleanField(default=False, verbose_name=_("every governorate"))
    precision = models.CharField(
        max_length=8,
        choices=Precision,
        default=Precision.EXACT,
        verbose_name=_("precision of places"),
        help_text=_("Less than exact also withholds addresses and descriptions."),
    )
    networks = ArrayField(
        models.CharField(max_length=43),
        default=list,
        blank=True,
        verbose_name=_("networks it may call from"),
        help_text=_("Addresses or networks (10.20.0.0/16, 2001:db8::/32), separated by commas. None: from everywhere."),
    )
    replaces = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="replaced_by", editable=False, verbose_name=_("replaces")
    )
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=_("last used"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("made by")
    )
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=_("revoked at"))

    objects = PartnerKeyManager()  # type: ignore[assignment,misc]

    class Meta:
        verbose_name = _("partner key")
        verbose_name_plural = _("partner keys")
        ordering = ["-created"]

    def __str__(self) -> str:
        return f"{self.partner.slug}/{self.name}"

    @property
    def is_usable(self) -> bool:
        """Neither revoked nor expired, and its partner is in use."""
        return not self.revoked and not self.has_expired and self.partner.is_active

    @cached_property
    def jurisdiction(self) -> Jurisdiction:
        if not self.is_usable:
            return Jurisdiction.nothing()
        places: frozenset[int] | None = None
        if not self.all_governorates:
            read_along = getattr(self, "governorate_ids", None)
            places = frozenset(self.governorates.values_list("pk", flat=True) if read_along is None else read_along)
        return Jurisdiction(frozenset([self.partner.agency_id]), places)

    def has_scope(self, scope: str) -> bool:
        return self.is_usable and scope in self.scopes

    def may_call_from(self, address: str | None) -> bool:
        """Whether ``address`` is inside the networks named on the key. An IPv4 address that came as IPv6 (``::ffff:…``) is IPv4."""
        if not self.networks:
            return True
        try:
            caller = ipaddress.ip_address(address or "")
        except ValueError:
            return False
        mapped = getattr(caller, "ipv4_mapped", None)
        return any((mapped or caller) in ipaddress.ip_network(network) for network in self.networks)

    def can(self, verb: str) -> bool:
        scope = {"open": Scope.INCIDENTS_WRITE, "manage_keys": Scope.ADMIN}.get(verb)
        return scope is not None and self.has_scope(scope)

    def lineage(self) -> list[int]:
        """This key and those it replaced: what was theirs is its own."""
        found, before = [self.pk], self.replaces_id
        while before is not None and before not in found:
            found.append(before)
            before = PartnerKey.objects.filter(pk=before).values_list("replaces_id", flat=True).first()
        return found

    # What the audit trail asks.
    audit_kind = "key"

    @property
    def audit_name(self) -> str:
        return str(self)
