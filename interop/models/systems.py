"""The systems around us: whose they are, whom to call, and whether they answer."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Agency
from interop.models.partners import Partner
from interop.querysets import ProbeQuerySet, SystemQuerySet


class ExternalSystem(models.Model):
    """A system we exchange with. It is looked at every ``every_s`` seconds, by its health address, by its port, or by when its partner was
    last heard."""

    class Kind(models.TextChoices):
        CAD = "cad", _("Dispatch")
        RECORDS = "records", _("Records")
        GIS = "gis", _("Maps")
        SENSORS = "sensors", _("Sensors and cameras")
        MESSAGES = "messages", _("Messages")
        OTHER = "other", _("Other")

    class Probe(models.TextChoices):
        HTTP = "http", _("Its health address answers 2xx")
        TCP = "tcp", _("Its port takes a connection")
        HEARD = "heard", _("Its partner was heard of lately")

    class State(models.TextChoices):
        UNKNOWN = "unknown", _("not looked at yet")
        UP = "up", _("answers")
        DOWN = "down", _("does not answer")

    name = models.CharField(max_length=120, verbose_name=_("name"))
    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="systems", verbose_name=_("agency"))
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.OTHER, verbose_name=_("kind"))
    base_url = models.CharField(max_length=500, blank=True, verbose_name=_("address"))
    contact = models.CharField(max_length=300, blank=True, verbose_name=_("contact"), help_text=_("Whom to call, and how."))
    probe = models.CharField(max_length=8, choices=Probe, default=Probe.HTTP, verbose_name=_("how it is looked at"))
    health_url = models.CharField(max_length=1_000, blank=True, verbose_name=_("health address"))
    host = models.CharField(max_length=253, blank=True, verbose_name=_("host"))
    port = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(65_535)], verbose_name=_("port")
    )
    partner = models.ForeignKey(Partner, null=True, blank=True, on_delete=models.PROTECT, related_name="systems", verbose_name=_("partner"))
    heard_within_min = models.PositiveIntegerField(
        default=30, validators=[MinValueValidator(1), MaxValueValidator(10_080)], verbose_name=_("heard within (minutes)"),
        help_text=_("How often it is expected to call or to send."),
    )  # fmt: skip
    every_s = models.PositiveIntegerField(
        default=60, validators=[MinValueValidator(15), MaxValueValidator(86_400)], verbose_name=_("every (seconds)")
    )
    timeout_s = models.PositiveSmallIntegerField(
        default=10, validators=[MinValueValidator(1), MaxValueValidator(30)], verbose_name=_("waits (seconds)")
    )
    failures_to_down = models.PositiveSmallIntegerField(
        default=2, validators=[MinValueValidator(1), MaxValueValidator(20)], verbose_name=_("down after (failures in a row)")
    )
    is_active = models.BooleanField(default=True, verbose_name=_("in use"))
    is_synthetic = models.BooleanField(default=False, verbose_name=_("synthetic"))
    state = models.CharField(max_length=8, choices=State, default=State.UNKNOWN, editable=False, verbose_name=_("state"))
    state_since = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=_("since"))
    failures = models.PositiveIntegerField(default=0, editable=False, verbose_name=_("failures in a row"))
    last_error = models.CharField(max_length=300, blank=True, editable=False, verbose_name=_("last error"))
    last_probe_at = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=_("last looked at"))
    last_up_at = models.DateTimeField(null=True, blank=True, editable=False, verbose_name=_("last answered"))
    next_probe_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True, verbose_name=_("created at"))

    objects = SystemQuerySet.as_manager()

    class Meta:
        verbose_name = _("external system")
        verbose_name_plural = _("external systems")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["agency", "name"], name="system_once", violation_error_message=_("This agency has a system of this name already.")
            ),
            models.CheckConstraint(
                condition=(Q(probe="http") & ~Q(health_url=""))
                | (Q(probe="tcp", port__isnull=False) & ~Q(host=""))
                | Q(probe="heard", partner__isnull=False),
                name="system_can_be_probed",
                violation_error_message=_("Give what the way of looking needs: a health address, a host and port, or a partner."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SystemProbe(models.Model):
    """One look at a system, and what came of it. Kept for ``PROBES_KEEP_DAYS``."""

    class Error(models.TextChoices):
        NONE = "", _("none")
        DNS = "dns", _("its name leads nowhere")
        REFUSED = "ssrf", _("its address is not allowed")
        CONNECT = "connect", _("no connection")
        TLS = "tls", _("its certificate is not trusted")
        TIMEOUT = "timeout", _("no answer in time")
        HTTP = "http", _("answered with an error")
        REDIRECT = "redirect", _("answered with a redirect")
        PROTOCOL = "protocol", _("answered nonsense")
        SILENT = "silent", _("not heard of")

    system = models.ForeignKey(ExternalSystem, on_delete=models.CASCADE, related_name="probes", verbose_name=_("system"))
    at = models.DateTimeField(verbose_name=_("at"))
    is_ok = models.BooleanField(verbose_name=_("answered"))
    ms = models.FloatField(null=True, verbose_name=_("milliseconds"))
    code = models.PositiveSmallIntegerField(null=True, verbose_name=_("answer"))
    error = models.CharField(max_length=8, choices=Error, blank=True, verbose_name=_("error"))
    detail = models.CharField(max_length=200, blank=True, verbose_name=_("detail"))

    objects = ProbeQuerySet.as_manager()

    class Meta:
        verbose_name = _("probe")
        verbose_name_plural = _("probes")
        ordering = ["-id"]
        indexes = [models.Index(fields=["system", "at"], name="probe_of_system")]  # its trend; and what is too old

    def __str__(self) -> str:
        return f"{self.system} {self.at:%Y-%m-%d %H:%M:%S}"
