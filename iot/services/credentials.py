"""What a device proves itself with: made, shown once, revoked. A key has 240 bits of chance: a plain hash of it will do."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.errors import Conflict, Invalid
from iot.models import Device, DeviceCredential
from iot.permissions import Actor, require
from iot.services.senders import Sender

MARK = "kd"  # a key is kd_<prefix>_<secret>: a scanner for lost secrets knows it by that
MOST_KEYS = 5  # usable at once: enough to change over
USE_IS_NOTED_EVERY = timedelta(minutes=10)
Kind = DeviceCredential.Kind


@transaction.atomic
def issue_device_key(*, device: Device, by: Actor | None, not_after: datetime | None = None) -> tuple[DeviceCredential, str]:
    """Make a key; the second of the pair is the secret, which is kept nowhere and cannot be shown again."""
    require(by, "manage_devices", device)
    now = timezone.now()
    held = Device.objects.select_for_update(no_key=True, of=("self",)).get(pk=device.pk)
    if held.state == Device.State.RETIRED:
        raise Conflict(_("This device is retired."))
    if not_after is not None and not_after <= now:
        raise Invalid(_("The key cannot be made so."), fields={"not_after": _("This time has passed.")})
    if DeviceCredential.objects.usable(now).filter(device=device, kind=Kind.KEY).count() >= MOST_KEYS:
        raise Conflict(_("It has %(most)d keys: revoke one first.") % {"most": MOST_KEYS})
    prefix, secret, digest = new_key()
    credential = DeviceCredential.objects.create(
        device=device, kind=Kind.KEY, prefix=prefix, digest=digest, not_after=not_after, issued_by_id=getattr(by, "pk", None)
    )
    after = {"prefix": prefix, "not_after": not_after.isoformat() if not_after else None}
    audit.record("device.key_issue", obj=device, by=by, after=after)
    return credential, secret


def new_key() -> tuple[str, str, str]:
    """A prefix, the secret that begins with it, and the secret's hash. Kept nowhere yet."""
    prefix, rest = secrets.token_hex(4), secrets.token_urlsafe(30)
    secret = f"{MARK}_{prefix}_{rest}"
    return prefix, secret, _digest(secret)


@transaction.atomic
def revoke_credential(*, credential: DeviceCredential, by: Actor | None, reason: str = "") -> DeviceCredential:
    """At once and for good."""
    require(by, "manage_devices", credential.device)
    now = timezone.now()
    if not DeviceCredential.objects.filter(pk=credential.pk, revoked_at=None).update(revoked_at=now):
        raise Conflict(_("This is revoked already."))
    credential.revoked_at = now
    after = {"kind": credential.kind, "prefix": credential.prefix or credential.serial or credential.digest[:8]}
    audit.record("device.credential_revoke", obj=credential.device, by=by, after=after, reason=reason)
    return credential


@dataclass(slots=True)
class _Seen:
    asked_at: float
    digest: str
    not_after: datetime | None
    sender: Sender


_seen: dict[str, _Seen] = {}
MOST_SEEN = 20_000


def who_shows(secret: str) -> Sender | None:
    """The device that ``secret`` opens; ``None`` for a wrong, revoked or ended one. The database is asked at most every ``KEYS_KNOWN_S``
    seconds, so that is how long a revocation may need to hold in every process."""
    mark, _underscore, rest = secret.partition("_")
    prefix, underscore, _rest = rest.partition("_")
    if mark != MARK or not underscore or len(prefix) != 8 or not secret.isascii():
        return None
    digest = _digest(secret)
    known = _seen.get(prefix)
    if known is None or time.monotonic() - known.asked_at >= settings.KEYS_KNOWN_S:
        known = _ask(prefix)
        if known is None:
            _seen.pop(prefix, None)
            return None
        if len(_seen) >= MOST_SEEN:
            _seen.clear()
        _seen[prefix] = known
    has_ended = known.not_after is not None and known.not_after <= timezone.now()
    return known.sender if secrets.compare_digest(known.digest, digest) and not has_ended else None


def fingerprint_of(der: bytes) -> str:
    """Of a certificate that was shown in a handshake: the same as ``iot.ca.fingerprint``."""
    return hashlib.sha256(der).hexdigest()


def who_certify(shown: Collection[bytes]) -> dict[bytes, Sender]:
    """The devices whose certificates (DER) these are; without those that are revoked, ended or none that we gave out. That the other side
    has its key and that our authority signed it, the handshake has proven. Asks the database each time, one question for all."""
    now = timezone.now()
    of = {fingerprint_of(der): der for der in shown}
    rows = DeviceCredential.objects.usable(now).filter(kind=Kind.CERTIFICATE, digest__in=of).select_related("device__profile")
    found = [one for one in rows.defer("device__location") if _name_in(of[one.digest]) == one.device.code]
    _note_use([one.pk for one in found], now)
    senders = {sender.device_id: sender for sender in Sender.of_each([one.device for one in found])}
    return {of[one.digest]: senders[one.device_id] for one in found}


def who_certifies(der: bytes) -> Sender | None:
    """The same of one."""
    return who_certify([der]).get(der)


def _name_in(der: bytes) -> str:
    names = x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def _note_use(pks: Sequence[int], now: datetime) -> None:
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - USE_IS_NOTED_EVERY)
    DeviceCredential.objects.filter(stale, pk__in=pks).update(last_used_at=now)


def _ask(prefix: str) -> _Seen | None:
    now = timezone.now()
    rows = DeviceCredential.objects.usable(now).filter(kind=Kind.KEY, prefix=prefix).select_related("device__profile")
    credential = rows.defer("device__location").first()
    if credential is None:
        return None
    _note_use([credential.pk], now)
    return _Seen(time.monotonic(), credential.digest, credential.not_after, Sender.of(credential.device))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
