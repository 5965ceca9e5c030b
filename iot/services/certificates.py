"""What a device is let in by at our broker: certificates of our own authority, and passwords for those that cannot have one."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.errors import Conflict, Invalid
from core.events import publish
from iot import events
from iot.ca import Authority, NotSigned, Revoked, fingerprint, key_of_request, new_key
from iot.ca.passwords import hashed
from iot.models import Device, DeviceCredential
from iot.permissions import Actor, require
from iot.services.credentials import revoke_credential

Kind = DeviceCredential.Kind
DAYS, MOST_DAYS = 365, 1_825
MOST_USABLE = 5  # at once: enough to change over
ENDING_WITHIN = timedelta(days=30)
OURS = "khareetaty"  # our own programs' names at the broker begin so


@dataclass(frozen=True)
class Issued:
    """``key_pem`` is there where we made the key; it is kept nowhere and cannot be shown again."""

    credential: DeviceCredential
    pem: str
    key_pem: str | None
    authority_pem: str


def authority() -> Authority:
    if settings.IOT_CA_CERTIFICATE and settings.IOT_CA_KEY:
        return Authority.of_pem(settings.IOT_CA_CERTIFICATE.encode(), settings.IOT_CA_KEY.encode())
    return Authority.kept_in(settings.IOT_CA_DIR, now=timezone.now())


def own_server_certificate() -> tuple[bytes, bytes]:
    """What a door of ours shows where a site configured none: certificate and key, signed by the authority whose certificate each device
    was given with its own. Made anew at each start, and good for a year."""
    return authority().for_server(settings.IOT_SERVER_NAMES, now=timezone.now())


@transaction.atomic
def issue_certificate(*, device: Device, by: Actor | None, days: int = DAYS, csr: bytes | None = None) -> Issued:
    """A certificate for the broker. Of a request only the key is taken, and only if the request is signed with it."""
    now = timezone.now()
    if not 1 <= days <= MOST_DAYS:
        raise Invalid(_("The certificate cannot be made so."), fields={"days": _("1 to %(most)d days.") % {"most": MOST_DAYS}})
    _may_have(device, by, Kind.CERTIFICATE, now)
    try:
        public, key_pem = (key_of_request(csr), None) if csr else new_key()
    except NotSigned as refusal:
        fields = {"csr": _("This is no request that can be signed: %(why)s.") % {"why": refusal}}
        raise Invalid(_("The certificate cannot be made so."), fields=fields) from refusal
    signer = authority()
    certificate = signer.for_device(device.code, public, now=now, not_after=now + timedelta(days=days))
    credential = DeviceCredential.objects.create(
        device=device, kind=Kind.CERTIFICATE, digest=fingerprint(certificate), serial=f"{certificate.serial_number:x}",
        not_after=certificate.not_valid_after_utc, issued_by_id=getattr(by, "pk", None),
    )  # fmt: skip
    after = {"serial": credential.serial, "not_after": certificate.not_valid_after_utc.isoformat(), "by_request": csr is not None}
    audit.record("device.certificate_issue", obj=device, by=by, after=after)
    pem = certificate.public_bytes(Encoding.PEM).decode()
    return Issued(credential, pem, key_pem.decode() if key_pem is not None else None, signer.pem.decode())


def revoke_certificate(*, credential: DeviceCredential, by: Actor | None, reason: str = "") -> DeviceCredential:
    """At once and for good: refused at its next handshake, and what comes by a session that stands is not kept once nothing else holds."""
    if credential.kind != Kind.CERTIFICATE:
        raise Invalid(_("This is no certificate."))
    return revoke_credential(credential=credential, by=by, reason=reason)


@transaction.atomic
def issue_mqtt_password(*, device: Device, by: Actor | None, not_after: datetime | None = None) -> tuple[DeviceCredential, str]:
    """For a device that cannot have a certificate. It has one at a time: a new one ends the old one. Shown once."""
    now = timezone.now()
    if ":" in device.code:
        raise Conflict(_("The broker knows no account with “:” in its name: give it a certificate."))
    if not_after is not None and not_after <= now:
        raise Invalid(_("The password cannot be made so."), fields={"not_after": _("This time has passed.")})
    _may_have(device, by, Kind.MQTT, now)
    DeviceCredential.objects.filter(device=device, kind=Kind.MQTT, revoked_at=None).update(revoked_at=now)
    secret = secrets.token_urlsafe(30)
    credential = DeviceCredential.objects.create(
        device=device, kind=Kind.MQTT, digest=hashed(secret), not_after=not_after, issued_by_id=getattr(by, "pk", None)
    )
    after = {"not_after": not_after.isoformat() if not_after else None}
    audit.record("device.mqtt_password_issue", obj=device, by=by, after=after)
    return credential, secret


def _may_have(device: Device, by: Actor | None, kind: str, now: datetime) -> None:
    require(by, "manage_devices", device)
    held = Device.objects.select_for_update(no_key=True, of=("self",)).get(pk=device.pk)
    if held.state == Device.State.RETIRED:
        raise Conflict(_("This device is retired."))
    if held.code.lower().startswith(OURS):
        raise Conflict(_("Names that begin with “%(name)s” are our own programs' at the broker.") % {"name": OURS})
    if kind == Kind.CERTIFICATE and DeviceCredential.objects.usable(now).filter(device=device, kind=kind).count() >= MOST_USABLE:
        raise Conflict(_("It has %(most)d certificates: revoke one first.") % {"most": MOST_USABLE})


def not_to_be_let_in(*, now: datetime) -> list[Revoked]:
    """Certificates that have not ended and open nothing: revoked for good, or held while their device is not in use."""
    rows = DeviceCredential.objects.filter(kind=Kind.CERTIFICATE, not_after__gt=now - timedelta(days=1))
    rows = rows.exclude(revoked_at=None, device__state=Device.State.ACTIVE).order_by("pk")
    return [
        Revoked(int(serial, 16), revoked_at or issued_at, is_held=revoked_at is None)
        for serial, revoked_at, issued_at in rows.values_list("serial", "revoked_at", "issued_at")
    ]


@transaction.atomic
def tell_of_ending(*, now: datetime) -> int:
    """Certificates that end within thirty days are announced once each, while their device has no other that lasts longer."""
    ending = DeviceCredential.objects.usable(now).filter(
        kind=Kind.CERTIFICATE, not_after__lte=now + ENDING_WITHIN, told_ending_at=None, device__state=Device.State.ACTIVE
    )
    told = 0
    for credential in ending.select_for_update(of=("self",), skip_locked=True).select_related("device").defer("device__location"):
        DeviceCredential.objects.filter(pk=credential.pk).update(told_ending_at=now)
        device = credential.device
        others = DeviceCredential.objects.usable(now).filter(device=device, kind=Kind.CERTIFICATE)
        if others.filter(not_after__gt=now + ENDING_WITHIN).exists():
            continue
        publish(
            events.DEVICE_CERTIFICATE_ENDING,
            subject=device,
            data={"code": device.code, "serial": credential.serial, "not_after": credential.not_after and credential.not_after.isoformat()},
            agency_id=device.agency_id,
            governorate_id=device.governorate_id,
        )
        told += 1
    return told
