"""A device's life: registered by a person or by itself, approved by a person, suspended, resumed, retired."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.contrib.gis.geos import Point
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Agency
from core import audit
from core.errors import Conflict, Invalid
from core.events import publish
from geography.services import place_of
from iot import events
from iot.models import Device, DeviceCredential, DeviceGroup, DeviceProfile
from iot.permissions import Actor, require
from iot.standing import ring

State = Device.State
IDENTITIES = ("dev_eui", "imei", "msisdn", "mac")
MOST_IN_QUARANTINE = 1_000  # that registered themselves and nobody has looked at: an open door fills no table
WAYS: dict[str, tuple[str, ...]] = {
    State.ACTIVE: (State.UNCLAIMED, State.QUARANTINED),
    State.SUSPENDED: (State.UNCLAIMED, State.QUARANTINED, State.ACTIVE),
    State.RETIRED: (State.UNCLAIMED, State.QUARANTINED, State.ACTIVE, State.SUSPENDED),
}


def tidied_identity(name: str, text: str) -> str:
    """An identity as it is kept: one spelling of what makers print in many."""
    text = text.strip()
    if name in ("dev_eui", "mac"):
        return re.sub(r"[:\-. ]", "", text).lower()
    if name == "msisdn" and text:
        digits = re.sub(r"[ ()\-]", "", text)
        return "+" + digits.removeprefix("+").removeprefix("00")
    return re.sub(r"[ \-]", "", text)


@transaction.atomic
def register_device(
    *,
    code: str,
    profile: DeviceProfile,
    agency: Agency,
    by: Actor | None,
    location: Point | None = None,
    name: str = "",
    identities: Mapping[str, str] | None = None,
    groups: Iterable[DeviceGroup] = (),
    gateway: Device | None = None,
    is_expected: bool = False,
    is_synthetic: bool = False,
) -> Device:
    """A person enters a device: it is in use at once, or ``is_expected``: in use when somebody approves what announces itself so."""
    device = Device(
        code=code.strip(), profile=profile, agency=agency, location=location, name=name.strip(), gateway=gateway,
        state=State.UNCLAIMED if is_expected else State.ACTIVE, is_synthetic=is_synthetic,
    )  # fmt: skip
    _identify(device, identities or {})
    _place(device)
    require(by, "manage_devices", device)
    _saved(device, by=by, verb="device.register")
    device.groups.set(_own_groups(device, groups))
    return device


@transaction.atomic
def announce_itself(
    *, code: str, profile: DeviceProfile, agency: Agency, identities: Mapping[str, str] | None = None, door: str = ""
) -> Device:
    """A device nobody entered speaks at a door that lets strangers announce themselves. It waits in quarantine: nothing it says is kept
    until a person approves it. Known already: the row there is, unchanged. One that was expected goes into quarantine too."""
    device = Device(code=code.strip(), profile=profile, agency=agency, state=State.QUARANTINED)
    known = Device.objects.filter(code=device.code).first()
    if known is not None:
        if known.agency_id != agency.pk or known.profile_id != profile.pk:
            raise Conflict(_("Another device has this code."))
        return known
    if Device.objects.filter(state=State.QUARANTINED).count() >= MOST_IN_QUARANTINE:
        raise Conflict(_("Too many devices wait in quarantine: somebody has to look at them first."))
    _identify(device, identities or {})
    _saved(device, by=None, verb="device.announce", door=door)
    return device


@transaction.atomic
def change_device(*, device: Device, by: Actor | None, changes: Mapping[str, Any]) -> Device:
    """Name, place, group, gateway, identities, maintenance: what may be changed of a device whatever its state."""
    require(by, "manage_devices", device)
    device = Device.objects.select_for_update(no_key=True, of=("self",)).select_related("profile").get(pk=device.pk)
    before = {name: _plain(getattr(device, name)) for name in changes if name != "groups"}
    for name, value in changes.items():
        if name in IDENTITIES:
            setattr(device, name, tidied_identity(name, value))
        elif name in ("name", "location", "gateway", "maintenance_until", "profile"):
            setattr(device, name, value)
        elif name != "groups":
            raise Invalid(_("Some fields are not right."), fields={name: _("This cannot be changed.")})
    if "profile" in changes and device.datastreams.exclude(metric__profile=device.profile).exists():
        raise Conflict(_("It has readings of its profile's metrics: register it anew under another code."))
    if "location" in changes:
        _place(device)
        require(by, "manage_devices", device)  # nobody moves a device out of their own sight
    _checked(device)
    device.save(update_fields=[*(name for name in changes if name != "groups"), "governorate", "area"])
    if "groups" in changes:
        device.groups.set(_own_groups(device, changes["groups"]))
    after = {name: _plain(getattr(device, name)) for name in before}
    if after != before:
        audit.record("device.change", obj=device, by=by, before=before, after=after)
    ring([device.pk], is_wide=not changes.keys().isdisjoint({"location", "groups"}))
    return device


def approve_device(*, device: Device, by: Actor, location: Point | None = None) -> Device:
    """A person has looked: what it says is kept from now on."""
    with transaction.atomic():
        require(by, "manage_devices", device)
        if location is not None:
            change_device(device=device, by=by, changes={"location": location})
        return _move(device, State.ACTIVE, events.DEVICE_APPROVED, "device.approve", by, "")


def suspend_device(*, device: Device, by: Actor | None, reason: str) -> Device:
    """Nothing it says is kept, and nothing of it is lost: until ``resume_device``."""
    return _move(device, State.SUSPENDED, events.DEVICE_SUSPENDED, "device.suspend", by, reason)


def resume_device(*, device: Device, by: Actor | None, reason: str = "") -> Device:
    return _move(device, State.ACTIVE, events.DEVICE_RESUMED, "device.resume", by, reason, ways=(State.SUSPENDED,))


@transaction.atomic
def retire_device(*, device: Device, by: Actor | None, reason: str) -> Device:
    """For good: its credentials end with it, its readings stay as long as they are kept."""
    device = _move(device, State.RETIRED, events.DEVICE_RETIRED, "device.retire", by, reason)
    DeviceCredential.objects.filter(device=device, revoked_at=None).update(revoked_at=timezone.now())
    device.outages.filter(ended_at=None).delete()
    return device


@transaction.atomic
def _move(device: Device, to: str, event: str, verb: str, by: Actor | None, reason: str, *, ways: tuple[str, ...] | None = None) -> Device:
    require(by, "manage_devices", device)
    before = device.state
    ways = WAYS[to] if ways is None else ways
    # It counts as unheard from here: silence before it was in use is nobody's outage.
    changes: dict[str, Any] = {"state": to, "status": Device.Status.UNHEARD, "status_since": None, "flapping_since": None}
    if not Device.objects.filter(pk=device.pk, state__in=ways).update(**changes):
        raise Conflict(_("%(device)s cannot become “%(state)s” from what it is now.") % {"device": device, "state": State(to).label})
    device.outages.filter(ended_at=None).delete()
    for name, value in changes.items():
        setattr(device, name, value)
    audit.record(verb, obj=device, by=by, before={"state": before}, after={"state": to}, reason=reason)
    publish(event, subject=device, data={"code": device.code}, agency_id=device.agency_id, governorate_id=device.governorate_id)
    ring([device.pk], is_wide=to == State.RETIRED)
    return device


def _saved(device: Device, *, by: Actor | None, verb: str, **facts: Any) -> None:
    _checked(device)
    device.save(force_insert=True)
    said = {"code": device.code, "profile": device.profile.code, "state": device.state}
    audit.record(verb, obj=device, by=by, after={**said, **facts})
    publish(events.DEVICE_REGISTERED, subject=device, data=said, agency_id=device.agency_id, governorate_id=device.governorate_id)
    ring([device.pk], is_wide=True)


def _checked(device: Device) -> None:
    try:
        device.full_clean(exclude=["agency", "profile", "governorate", "area"])
    except ValidationError as refusal:
        fields = {name: " ".join(texts) for name, texts in refusal.message_dict.items()}
        raise Invalid(_("The device cannot be kept so."), fields={k if k != "__all__" else "": v for k, v in fields.items()}) from refusal
    if device.gateway is not None and (device.gateway.agency_id != device.agency_id or device.gateway.pk == device.pk):
        raise Invalid(_("The device cannot be kept so."), fields={"gateway": _("Another gateway, of the same agency.")})


def _identify(device: Device, identities: Mapping[str, str]) -> None:
    unknown = set(identities) - set(IDENTITIES)
    if unknown:
        raise Invalid(_("Some fields are not right."), fields=dict.fromkeys(unknown, _("No such identity.")))
    for name, text in identities.items():
        setattr(device, name, tidied_identity(name, text))


def _place(device: Device) -> None:
    found = place_of(device.location) if device.location is not None else None
    device.governorate_id = found.governorate_id if found is not None else None
    device.area_id = found.area_id if found is not None else None


def _own_groups(device: Device, groups: Iterable[DeviceGroup]) -> list[DeviceGroup]:
    chosen = list(groups)
    if any(group.agency_id != device.agency_id for group in chosen):
        raise Invalid(_("The device cannot be kept so."), fields={"groups": _("Of another agency.")})
    return chosen


def _plain(value: Any) -> Any:
    if isinstance(value, Point):
        return [round(value.x, 6), round(value.y, 6)]
    return value.isoformat() if isinstance(value, datetime) else getattr(value, "pk", value)
