"""Networks that speak for devices: LoRaWAN servers and providers of text messages. And what is known of each device's radio session."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models import Agency
from geography.models import Zone
from iot.models.devices import GOVERNORATE_ONLY, Device
from iot.models.profiles import DeviceProfile
from iot.querysets import NetworkQuerySet, OfDeviceQuerySet

BROKER_ACCOUNT = "khareetaty-network-"


class DeviceNetwork(models.Model):
    """It proves itself with a token of its own, of which the hash is kept. What we call it with is sealed."""

    class Kind(models.TextChoices):
        CHIRPSTACK = "chirpstack", "ChirpStack"
        TTN = "ttn", "The Things Stack"
        SMS = "sms", _("Text messages")

    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="+", verbose_name=_("agency"))
    governorate = models.ForeignKey(
        Zone, null=True, blank=True, on_delete=models.PROTECT, limit_choices_to=GOVERNORATE_ONLY, related_name="+",
        verbose_name=_("governorate"),
    )  # fmt: skip
    name = models.CharField(max_length=80, verbose_name=_("name"))
    kind = models.CharField(max_length=12, choices=Kind, verbose_name=_("kind"))
    profile_for_strangers = models.ForeignKey(
        DeviceProfile, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("profile for new devices"),
        help_text=_("A device nobody entered waits in quarantine with this profile. Empty: it is only counted."),
    )  # fmt: skip
    base_url = models.URLField(
        max_length=300, blank=True, verbose_name=_("address of its API"), help_text=_("For messages down to devices: https://…")
    )
    application = models.CharField(
        max_length=64, blank=True, verbose_name=_("application"), help_text=_("The Things Stack: the application's id.")
    )
    sealed_api_token = models.TextField(blank=True, editable=False, verbose_name=_("key of its API"))
    token_prefix = models.CharField(max_length=12, blank=True, editable=False, verbose_name=_("begins with"))
    token_digest = models.CharField(max_length=64, blank=True, editable=False, verbose_name=_("hash"))
    broker_digest = models.CharField(max_length=160, blank=True, editable=False, verbose_name=_("hash of its MQTT password"))
    broker_since = models.DateTimeField(null=True, editable=False, verbose_name=_("MQTT password since"))
    is_active = models.BooleanField(default=True, verbose_name=_("in use"))
    last_heard_at = models.DateTimeField(null=True, editable=False, verbose_name=_("last heard"))
    made_at = models.DateTimeField(db_default=Now(), verbose_name=_("made at"))

    objects = NetworkQuerySet.as_manager()

    class Meta:
        verbose_name = _("device network")
        verbose_name_plural = _("device networks")
        ordering = ["agency", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["agency", "name"], name="network_name_once", violation_error_message=_("This agency has a network with this name.")
            ),
            # The way from what it shows to its row.
            models.UniqueConstraint(
                fields=["token_digest"], condition=~models.Q(token_digest=""), name="network_token_once",
                violation_error_message=_("This token is known already."),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.name

    @property
    def broker_account(self) -> str:
        """Its name at the broker. No device's: those whose codes begin so are given nothing there."""
        return f"{BROKER_ACCOUNT}{self.pk}"


class LoraSession(models.Model):
    """A device's radio session as its server tells of it. The counter climbs; what comes with a lower one is a frame told again."""

    device = models.OneToOneField(Device, on_delete=models.CASCADE, related_name="lora_session", verbose_name=_("device"))
    network = models.ForeignKey(
        DeviceNetwork, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("network it was heard by last")
    )
    server_name = models.CharField(max_length=64, blank=True, verbose_name=_("its name at the server"))
    # Behind its network's prefix at the broker; empty where it was heard by webhook last.
    command_topic = models.CharField(max_length=250, blank=True, verbose_name=_("where its server listens for commands"))
    session = models.CharField(max_length=200, blank=True, verbose_name=_("session"))
    ended = models.JSONField(default=list, verbose_name=_("sessions before"))
    counter = models.BigIntegerField(default=-1, verbose_name=_("frame counter"))
    last_dedup = models.CharField(max_length=200, blank=True, verbose_name=_("last frame"))
    gateway = models.CharField(max_length=64, blank=True, verbose_name=_("best gateway"))
    gateways = models.PositiveSmallIntegerField(default=0, verbose_name=_("gateways that heard it"))
    rssi_dbm = models.FloatField(null=True, verbose_name="RSSI (dBm)")
    snr_db = models.FloatField(null=True, verbose_name="SNR (dB)")
    margin_db = models.FloatField(null=True, verbose_name=_("margin (dB)"))
    missed = models.PositiveIntegerField(default=0, verbose_name=_("frames missed"))
    refused = models.PositiveIntegerField(default=0, verbose_name=_("frames refused as told again"))
    joined_at = models.DateTimeField(null=True, verbose_name=_("joined at"))
    heard_at = models.DateTimeField(null=True, verbose_name=_("last heard"))

    objects = OfDeviceQuerySet.as_manager()

    class Meta:
        verbose_name = _("LoRaWAN session")
        verbose_name_plural = _("LoRaWAN sessions")
        ordering = ["device__code"]

    def __str__(self) -> str:
        return f"{self.device_id} #{self.counter}"


class HeardMessage(models.Model):
    """A provider's message, by its own id, so that one that is delivered twice counts once. The text and the number are not kept."""

    network = models.CharField(max_length=24, verbose_name=_("network"))
    message_id = models.CharField(max_length=128, verbose_name=_("message"))
    at = models.DateTimeField(verbose_name=_("at"))

    class Meta:
        verbose_name = _("message heard")
        verbose_name_plural = _("messages heard")
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(
                fields=["network", "message_id"], name="heard_once", violation_error_message=_("This message was heard already.")
            )
        ]
        indexes = [
            # They are forgotten after some days.
            models.Index(fields=["at"], name="heard_by_time")
        ]

    def __str__(self) -> str:
        return self.message_id
