"""What a device proves itself with: made, shown once, revoked. A key has 240 bits of chance: a plain hash of it will do."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.errors import Conflict, Invalid
from iot.models import Device, DeviceCredential
from iot.permissions import Actor, require

MARK = "kd"  # a key is kd_<prefix>_<secret>: a scanner for lost secrets knows it by that
MOST_KEYS = 5  # usable at once: enough to change over
USE_IS_NOTED_EVERY = timedelta(minutes=10)
Kind = DeviceCredential.Kind


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who proved itself, and what its profile allows it. What a door needs, and nothing that has to be asked for again."""

    device_id: int
    code: str
    state: str
    agency_id: int
    governorate_id: int | None
    profile_id: int
    most_per_min: int
    keep_raw_days: int
    metrics: frozenset[str]
    credential_id: int
    is_authenticated: bool = True

    @property
    def may_speak(self) -> bool:
        return self.state == Device.State.ACTIVE


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
    prefix, rest = secrets.token_hex(4), secrets.token_urlsafe(30)
    secret = f"{MARK}_{prefix}_{rest}"
    credential = DeviceCredential.objects.create(
        device=device, kind=Kind.KEY, prefix=prefix, digest=_digest(secret), not_after=not_after, issued_by_id=getattr(by, "pk", None)
    )
    after = {"prefix": prefix, "not_after": not_after.isoformat() if not_after else None}
    audit.record("device.key_issue", obj=device, by=by, after=after)
    return credential, secret


@transaction.atomic
def revoke_credential(*, credential: DeviceCredential, by: Actor | None, reason: str = "") -> DeviceCredential:
    """At once and for good."""
    require(by, "manage_devices", credential.device)
    now = timezone.now()
    if not DeviceCredential.objects.filter(pk=credential.pk, revoked_at=None).update(revoked_at=now):
        raise Conflict(_("This is revoked already."))
    credential.revoked_at = now
    after = {"kind": credential.kind, "prefix": credential.prefix or credential.digest[:8]}
    audit.record("device.credential_revoke", obj=credential.device, by=by, after=after, reason=reason)
    return credential


@dataclass(slots=True)
class _Seen:
    asked_at: float
    digest: str
    not_after: datetime | None
    speaker: Speaker


_seen: dict[str, _Seen] = {}
MOST_SEEN = 20_000


def who_shows(secret: str) -> Speaker | None:
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
    return known.speaker if secrets.compare_digest(known.digest, digest) and not has_ended else None


def _ask(prefix: str) -> _Seen | None:
    now = timezone.now()
    rows = DeviceCredential.objects.usable(now).filter(kind=Kind.KEY, prefix=prefix).select_related("device__profile")
    credential = rows.defer("device__location").first()
    if credential is None:
        return None
    device = credential.device
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - USE_IS_NOTED_EVERY)
    DeviceCredential.objects.filter(stale, pk=credential.pk).update(last_used_at=now)
    profile = device.profile
    speaker = Speaker(
        device.pk, device.code, device.state, device.agency_id, device.governorate_id, profile.pk, profile.most_per_min,
        profile.keep_raw_days, frozenset(profile.metrics.values_list("code", flat=True)), credential.pk,
    )  # fmt: skip
    return _Seen(time.monotonic(), credential.digest, credential.not_after, speaker)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
