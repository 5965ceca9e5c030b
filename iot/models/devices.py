"""Devices, the groups they are in, what they prove themselves with, and when they were away."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.contrib.gis.db import models
from django.contrib.postgres.indexes import GistIndex
from django.core.validators import RegexValidator
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Agency
from geography.models import Zone
from iot.models.profiles import DeviceProfile, in_language
from iot.querysets import CredentialQuerySet, DeviceQuerySet, OfDeviceQuerySet, ScopedQuerySet

GOVERNORATE_ONLY = {"level": "governorate"}
CODE = RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9._:-]*$", _("Latin letters, digits and . _ : - only."))


class DeviceGroup(models.Model):
    """Devices that are looked at together."""

    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="device_groups", verbose_name=_("agency"))
    governorate = models.ForeignKey(
        Zone,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        limit_choices_to=GOVERNORATE_ONLY,
        related_name="+",
        verbose_name=_("governorate"),
    )
    code = models.CharField(max_length=48, validators=[CODE], verbose_name=_("code"))
    name_en = models.CharField(max_length=120, verbose_name=_("English name"))
    name_ar = models.CharField(max_length=120, verbose_name=_("Arabic name"))

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("device group")
        verbose_name_plural = _("device groups")
        ordering = ["agency", "code"]
        constraints = [
            models.UniqueConstraint(
                fields=["agency", "code"], name="device_group_once", violation_error_message=_("This agency has a group with this code.")
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return in_language(self.name_en, self.name_ar)


class Device(models.Model):
    """One device. It speaks for itself alone; its agency and its place say who sees it."""

    class State(models.TextChoices):
        UNCLAIMED = "unclaimed", _("Expected")
        QUARANTINED = "quarantined", _("In quarantine")
        ACTIVE = "active", _("In use")
        SUSPENDED = "suspended", _("Suspended")
        RETIRED = "retired", _("Retired")

    class Status(models.TextChoices):
        UNHEARD = "unheard", _("Never heard")
        ONLINE = "online", _("Online")
        OFFLINE = "offline", _("Offline")

    code = models.CharField(max_length=64, unique=True, validators=[CODE], verbose_name=_("code"))
    name = models.CharField(max_length=120, blank=True, verbose_name=_("name"))
    profile = models.ForeignKey(DeviceProfile, on_delete=models.PROTECT, related_name="devices", verbose_name=_("profile"))
    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="devices", verbose_name=_("agency"))
    location = models.PointField(srid=4326, null=True, blank=True, spatial_index=False, verbose_name=_("location"))
    governorate = models.ForeignKey(
        Zone,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("governorate"),
        help_text=_("From its location."),
    )
    area = models.ForeignKey(
        Zone, null=True, blank=True, editable=False, on_delete=models.PROTECT, related_name="+", verbose_name=_("area")
    )
    groups = models.ManyToManyField(DeviceGroup, blank=True, related_name="devices", verbose_name=_("groups"))
    gateway = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        limit_choices_to={"profile__kind": "gateway"},
        related_name="behind",
        verbose_name=_("gateway it speaks through"),
    )
    state = models.CharField(max_length=11, choices=State, default=State.QUARANTINED, verbose_name=_("state"))
    dev_eui = models.CharField(
        max_length=16, blank=True, validators=[RegexValidator(r"^[0-9a-f]{16}$", _("16 hexadecimal digits."))], verbose_name="DevEUI"
    )
    imei = models.CharField(max_length=15, blank=True, validators=[RegexValidator(r"^\d{15}$", _("15 digits."))], verbose_name="IMEI")
    msisdn = models.CharField(
        max_length=16,
        blank=True,
        validators=[RegexValidator(r"^\+[1-9]\d{6,14}$", _("A number with its country: +965…"))],
        verbose_name=_("telephone number"),
    )
    mac = models.CharField(
        max_length=12, blank=True, validators=[RegexValidator(r"^[0-9a-f]{12}$", _("12 hexadecimal digits."))], verbose_name="MAC"
    )
    firmware = models.CharField(max_length=48, blank=True, verbose_name=_("firmware"))
    battery_pct = models.FloatField(null=True, blank=True, verbose_name=_("battery (%)"))
    signal_dbm = models.FloatField(null=True, blank=True, verbose_name=_("signal (dBm)"))
    clock_skew_s = models.FloatField(
        null=True, blank=True, verbose_name=_("clock ahead by (s)"), help_text=_("Below nothing: behind, or long on its way.")
    )
    last_seen_at = models.DateTimeField(null=True, blank=True, verbose_name=_("last seen"))
    status = models.CharField(max_length=7, choices=Status, default=Status.UNHEARD, verbose_name=_("status"))
    status_since = models.DateTimeField(null=True, blank=True, verbose_name=_("since"))
    flapping_since = models.DateTimeField(null=True, blank=True, verbose_name=_("coming and going since"))
    maintenance_until = models.DateTimeField(
        null=True, blank=True, verbose_name=_("in maintenance until"), help_text=_("Until then it is not missed.")
    )
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))
    registered_at = models.DateTimeField(db_default=Now(), verbose_name=_("registered at"))

    objects = DeviceQuerySet.as_manager()

    class Meta:
        verbose_name = _("device")
        verbose_name_plural = _("devices")
        ordering = ["code"]
        constraints = [
            *(
                models.UniqueConstraint(
                    fields=[name],
                    condition=~Q(**{name: ""}),
                    name=f"device_{name}_once",
                    violation_error_message=_("Another device has this identity."),
                )
                for name in ("dev_eui", "imei", "msisdn", "mac")
            ),
            models.CheckConstraint(
                condition=Q(gateway=None) | ~Q(gateway=F("id")),
                name="device_not_behind_itself",
                violation_error_message=_("A device does not speak through itself."),
            ),
            models.CheckConstraint(
                condition=Q(battery_pct=None) | Q(battery_pct__range=(0, 100)),
                name="device_battery_is_a_share",
                violation_error_message=_("0 to 100."),
            ),
        ]
        indexes = [
            # The list of a jurisdiction, by state.
            models.Index(fields=["agency", "governorate", "state"], name="device_by_jurisdiction"),
            # The sweep: who is in use and how it stands. When it was last seen is not indexed: its row is rewritten in its own page.
            models.Index(fields=["status", "profile"], name="device_in_use", condition=Q(state="active")),
            # Devices in a box of the map.
            GistIndex(fields=["location"], name="device_by_place"),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def is_in_maintenance(self) -> bool:
        return self.maintenance_until is not None and self.maintenance_until > timezone.now()

    @property
    def missed_after_s(self) -> int:
        """Silent for so long it is offline: three cadences, and never less than the sweep can see."""
        return max(3 * self.profile.expected_every_s, LEAST_MISSED_S)


LEAST_MISSED_S = 30


class DeviceCredential(models.Model):
    """What a device proves itself with. Of a secret only the hash is kept, of a certificate its fingerprint."""

    class Kind(models.TextChoices):
        KEY = "key", _("Key")
        CERTIFICATE = "certificate", _("Certificate")
        MQTT = "mqtt", _("MQTT password")
        LORAWAN = "lorawan", "LoRaWAN"
        MSISDN = "msisdn", _("Telephone number")

    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="credentials", verbose_name=_("device"))
    kind = models.CharField(max_length=11, choices=Kind, verbose_name=_("kind"))
    prefix = models.CharField(max_length=12, blank=True, verbose_name=_("begins with"))
    digest = models.CharField(max_length=128, verbose_name=_("hash or fingerprint"))
    serial = models.CharField(max_length=48, blank=True, verbose_name=_("serial number"))
    not_after = models.DateTimeField(null=True, blank=True, verbose_name=_("valid until"))
    told_ending_at = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=_("its end was announced at"))
    revoked_at = models.DateTimeField(null=True, blank=True, verbose_name=_("revoked at"))
    last_used_at = models.DateTimeField(null=True, blank=True, verbose_name=_("last used"))
    issued_at = models.DateTimeField(db_default=Now(), verbose_name=_("issued at"))
    issued_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("issued by")
    )

    objects = CredentialQuerySet.as_manager()

    class Meta:
        verbose_name = _("device credential")
        verbose_name_plural = _("device credentials")
        ordering = ["-issued_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "digest"], name="credential_once", violation_error_message=_("This credential is known already.")
            ),
            # The way from what a caller shows to its row.
            models.UniqueConstraint(
                fields=["prefix"],
                condition=Q(kind="key"),
                name="credential_prefix_once",
                violation_error_message=_("Another key begins the same."),
            ),
        ]
        indexes = [
            # Certificates about to end.
            models.Index(fields=["not_after"], name="credential_ending", condition=Q(revoked_at=None, not_after__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.device_id} {self.get_kind_display()} {self.prefix or self.digest[:8]}…"

    def is_usable_at(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.not_after is None or self.not_after > now)


class DeviceOutage(models.Model):
    """A device in use was away: from when it was last seen, to when it was heard again."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="outages", verbose_name=_("device"))
    began_at = models.DateTimeField(verbose_name=_("last seen"))
    noticed_at = models.DateTimeField(verbose_name=_("noticed at"))
    ended_at = models.DateTimeField(null=True, blank=True, verbose_name=_("heard again at"))

    objects = OfDeviceQuerySet.as_manager()

    class Meta:
        verbose_name = _("outage")
        verbose_name_plural = _("outages")
        ordering = ["-noticed_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["device"],
                condition=Q(ended_at=None),
                name="outage_one_open",
                violation_error_message=_("This device is away already."),
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("began_at")),
                name="outage_ends_after_it_began",
                violation_error_message=_("It ends after it began."),
            ),
        ]
        indexes = [
            # How often a device went within the last hour; its history.
            models.Index(fields=["device", "-noticed_at"], name="outage_of_device"),
        ]

    def __str__(self) -> str:
        return f"{self.device_id} {self.noticed_at}"
